//! `maxq emulator`: an emulated cluster as a server of its own, and what can be done to it from outside.

mod broker;
mod control;
mod fault;
mod remote;
mod run;

use clap::Subcommand;

use crate::{args::Global, exit::Exit};

/// Serve an emulated RocketMQ cluster, and make it fail
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct EmulatorArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Run(run::RunArgs),
    Fault(fault::FaultArgs),
    Broker(broker::BrokerArgs),
}

pub(crate) async fn run(args: EmulatorArgs, global: &Global) -> anyhow::Result<Exit> {
    match args.action {
        Action::Run(args) => {
            global.refuse_name_server("emulator run")?;
            run::run(args, global).await
        }
        Action::Fault(args) => {
            global.refuse_name_server("emulator fault")?;
            fault::run(args, global).await
        }
        Action::Broker(args) => {
            global.refuse_name_server("emulator broker")?;
            broker::run(&args, global).await
        }
    }
}
