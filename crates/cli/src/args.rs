//! What can be typed: the global options and the list of commands. Each command's own options stand in its file.

use std::time::Duration;

use anstream::ColorChoice;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use maxq::{Client, ClientConfig};

use crate::{
    command::{
        bench, cat, cluster, completions, demo, doctor, emulator, explain, msg, produce, route, topic,
    },
    exit::Failure,
    name_server::NameServer,
    output::Format,
    value,
};

/// The command-line tool for RocketMQ: send, read and look, and a cluster to play with
#[derive(Debug, Parser)]
#[command(name = "maxq", version, max_term_width = 110, after_help = EXAMPLES, after_long_help = LONG_HELP)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Name servers (HOST:PORT, several with commas) or a connection string (rocketmq://..)
    ///
    /// Without it, the environment decides: MAXQ_URL (a connection string such as
    /// rocketmq://ns-1:9876,ns-2:9876/?request_timeout=5s), else NAMESRV_ADDR (as Apache's tools read it).
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) name_server: Option<String>,

    /// How long one send or one request may take in all [default: 3s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = value::duration)]
    pub(crate) timeout: Option<Duration>,

    /// What to write: human, or json for machines
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "human",
        hide_possible_values = true
    )]
    pub(crate) output: Format,

    /// Show what the client does, on standard error (-vv for each request, -vvv for everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Produce(produce::ProduceArgs),
    Cat(cat::CatArgs),
    Route(route::RouteArgs),
    Topic(topic::TopicArgs),
    Msg(msg::MsgArgs),
    Cluster(cluster::ClusterArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Emulator(emulator::EmulatorArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Args {
    /// Parses the process's arguments.
    pub(crate) fn parse_process() -> Result<Self, clap::Error> {
        // Help and complaints of the parser are printed before `--color` is parsed.
        Color::typed(std::env::args()).apply();
        let args = Self::try_parse()?;
        args.global.color.apply();
        Ok(args)
    }
}

impl Global {
    /// A client of the cluster that is meant.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        NameServer::find(self.name_server.as_deref())?.connect(self.timeout).await
    }

    /// What a client of that cluster is made of.
    pub(crate) fn client_config(&self) -> anyhow::Result<ClientConfig> {
        NameServer::find(self.name_server.as_deref())?.client_config(self.timeout)
    }

    /// The producer group that the cluster's connection string names.
    pub(crate) fn group(&self) -> Option<String> {
        NameServer::find(self.name_server.as_deref()).ok()?.group()
    }

    /// How long one send may take.
    pub(crate) fn send_timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(3))
    }

    /// Refuses `--name-server` where it would mean nothing.
    pub(crate) fn refuse_name_server(&self, command: &str) -> anyhow::Result<()> {
        match self.name_server {
            Some(_) => Err(Failure::usage(format!("{command} takes no --name-server"))),
            None => Ok(()),
        }
    }
}

impl Color {
    fn apply(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// The last `--color` that parses.
    fn typed(args: impl Iterator<Item = String>) -> Self {
        let mut color = Self::Auto;
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let value = match arg.strip_prefix("--color") {
                Some("") => args.peek().cloned(),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => continue,
            };
            color = value.and_then(|value| Self::from_str(&value, false).ok()).unwrap_or(color);
        }
        color
    }
}

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq demo                                    see it work, without any server
  maxq emulator run                            serve a cluster on port 9876
  export NAMESRV_ADDR=127.0.0.1:9876           name the cluster for what follows
  echo hello | maxq produce orders             send a message
  maxq cat orders --follow                     read all, and wait for more
  maxq doctor orders                           find out why it does not work
  maxq explain MQ2002                          what an error code means"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Exit codes:
  0  done
  1  the verdict of a demo or a doctor is bad, or something failed that has no code of its own
  2  what was typed, or the input, is wrong; nothing was sent
  3  a server cannot be reached, or an address cannot be listened on
  4  some messages are stored, or may be, and others are not
  5  the cluster, or a rule of RocketMQ, refuses
  6  interrupted by Ctrl-C or SIGTERM

Environment:
  MAXQ_URL       connection string of the cluster, unless --name-server is given
  NAMESRV_ADDR   name servers, if neither --name-server nor MAXQ_URL is given
  MAXQ_LOG       what to log on standard error, such as maxq=debug; wins over -v
  NO_COLOR       set to anything: no colours"
);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_last_colour_counts() {
        let typed = |args: &str| Color::typed(args.split(' ').map(str::to_owned));
        assert_eq!(typed("maxq demo"), Color::Auto);
        assert_eq!(typed("maxq --color never demo"), Color::Never);
        assert_eq!(typed("maxq --color=never --color=always"), Color::Always);
        assert_eq!(typed("maxq --color=blue"), Color::Auto);
        assert_eq!(typed("maxq --color"), Color::Auto);
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        let before = Args::try_parse_from(["maxq", "--name-server", "a:1", "-o", "json", "cluster"]).unwrap();
        let after = Args::try_parse_from(["maxq", "cluster", "--name-server", "a:1", "-o", "json"]).unwrap();
        assert_eq!(before.global.name_server, after.global.name_server);
        assert_eq!((before.global.output, after.global.output), (Format::Json, Format::Json));
    }
}
