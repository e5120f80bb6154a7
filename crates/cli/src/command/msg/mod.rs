//! `maxq msg`: single messages, by id and by key.

mod get;
mod query;

use clap::Subcommand;

use super::GOODBYE;
use crate::{args::Global, exit::Exit};

/// Look single messages up, by id or by key
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct MsgArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Get(get::GetArgs),
    Query(query::QueryArgs),
}

pub(crate) async fn run(args: MsgArgs, global: &Global) -> anyhow::Result<Exit> {
    let client = global.connect().await?;
    let exit = match args.action {
        Action::Get(args) => get::run(&client, &args, global.output).await?,
        Action::Query(args) => query::run(&client, &args, global.output).await?,
    };
    client.close(GOODBYE).await;
    Ok(exit)
}
