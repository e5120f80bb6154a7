//! `maxq completions`: scripts that complete commands and options in a shell.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{
    args::{Args, Global},
    exit::Exit,
    output,
};

/// Print a script that completes maxq's commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, global: &Global) -> anyhow::Result<Exit> {
    global.refuse_name_server("completions")?;
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    generate(args.shell, &mut Args::command(), "maxq", &mut script);
    output::bytes(&script)?;
    Ok(Exit::Done)
}

const EXAMPLES: &str = "\
Examples:
  maxq completions bash > ~/.local/share/bash-completion/completions/maxq
  maxq completions zsh > \"${fpath[1]}/_maxq\"
  maxq completions fish > ~/.config/fish/completions/maxq.fish";
