//! `maxq`: the command-line tool for RocketMQ.
//!
//! Parse, run, exit code. Data goes to standard output, notes to standard error.

mod args;
mod clock;
mod command;
mod exit;
mod interrupt;
mod lines;
mod log;
mod name_server;
mod notes;
mod output;
mod record;
mod value;

use std::process::ExitCode;

use crate::{args::Args, exit::Exit};

fn main() -> ExitCode {
    let args = match Args::parse_process() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are asked for and go to standard output; complaints go to standard error.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let ended = log::start(args.global.verbose).and_then(|()| command::run(args));
    let exit = ended.unwrap_or_else(|error| {
        if exit::is_closed_output(&error) {
            return Exit::Done;
        }
        notes::error(&output::printable(&format!("{error:#}")));
        Exit::of(&error)
    });
    exit.into()
}
