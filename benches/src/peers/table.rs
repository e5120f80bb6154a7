//! The tables of the peers.

use std::fmt;

use super::{Peer, Peers, Row, Target};

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (target, rows) in &self.tables {
            writeln!(f, "Against {}:\n", target.title())?;
            writeln!(
                f,
                "| load | client | CPU us per message | to Maxq | msg/s | p50 us | p99 us | max us | errors |"
            )?;
            writeln!(f, "|---|---|--:|--:|--:|--:|--:|--:|--:|")?;
            for row in rows {
                self.write_row(f, row)?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "Settings. All: bodies of 1 KiB, JSON headers, no compression, no TLS; the rest as each client comes.\n"
        )?;
        for program in &self.programs {
            writeln!(f, "- {}: {}.", program.name(), program.settings())?;
        }
        Ok(())
    }
}

impl Peers {
    fn write_row(&self, f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let ours = row.figures_of(Peer::Maxq).map(|figures| figures.cpu_us);
        for (peer, outcome) in &row.outcomes {
            let name = self
                .programs
                .iter()
                .find(|program| program.peer() == *peer)
                .map_or("", |program| program.name());
            let figures = match outcome {
                Ok(figures) => figures,
                Err(why) => {
                    writeln!(f, "| {} | {name} | {why} | | | | | | |", row.label)?;
                    continue;
                }
            };
            let ratio = ours.map_or_else(String::new, |ours| format!("{:.2}", figures.cpu_us / ours));
            writeln!(
                f,
                "| {} | {name} | {:.2} | {ratio} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
                row.label,
                figures.cpu_us,
                figures.rate,
                figures.p50_us,
                figures.p99_us,
                figures.max_us,
                figures.errors
            )?;
        }
        Ok(())
    }
}

impl Target {
    const fn title(self) -> &'static str {
        match self {
            Self::Null => "the null broker",
            Self::Apache => "one broker of Apache RocketMQ 5.5.0, asynchronous flush, on the same two cores",
        }
    }
}
