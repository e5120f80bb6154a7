//! `maxq emulator broker`: kill, freeze and restart the brokers of a running emulator.

use clap::ValueEnum;

use super::remote::{self, Remote};
use crate::{
    args::Global,
    exit::Exit,
    output::{self, Format, printable},
};

/// Do something to a broker of a running emulator
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BrokerArgs {
    /// What: kill, restart, restart-elsewhere, freeze, thaw, read-only, writable or forget-clients
    #[arg(hide_possible_values = true)]
    deed: Deed,

    /// The broker, counted from 0
    index: u16,

    /// The emulator's control interface: PORT or HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = remote::address)]
    control: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Deed {
    Kill,
    Restart,
    RestartElsewhere,
    Freeze,
    Thaw,
    ReadOnly,
    Writable,
    ForgetClients,
}

pub(super) async fn run(args: &BrokerArgs, global: &Global) -> anyhow::Result<Exit> {
    let deed = args.deed.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let path = format!("/v1/brokers/{}/{deed}", args.index);
    let broker = Remote::new(&args.control, global).post(&path, Vec::new()).await?;
    match global.output {
        Format::Json => output::json(&broker)?,
        Format::Human => {
            let state = match (&broker["running"], &broker["frozen"]) {
                (serde_json::Value::Bool(false), _) => "dead",
                (_, serde_json::Value::Bool(true)) => "frozen",
                _ => "running",
            };
            let permission = if broker["read_only"] == true { ", read-only" } else { "" };
            let text = |key: &str| printable(broker[key].as_str().unwrap_or_default());
            output::text(&format!("{} {} {state}{permission}\n", text("name"), text("address")))?;
        }
    }
    Ok(Exit::Done)
}

const EXAMPLES: &str = "\
Examples:
  maxq emulator broker freeze 0 --control 9877
  maxq emulator broker restart-elsewhere 1 --control 9877";
