//! Ctrl-C, SIGTERM and SIGHUP: nothing is left running and nothing is left on the disk.

use std::{
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{clock, process as children};

/// From now on an interrupt kills every child, removes `scratch` and ends the suite with status 130.
pub(crate) fn handle(scratch: PathBuf) -> Result<()> {
    ctrlc::set_handler(move || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        eprintln!("interrupted: stopping every process that was started here");
        // First their ends: whoever still runs may write one more file into a folder that is being removed.
        children::end_all(LIMIT);
        let gone = || Ok((fs::remove_dir_all(&scratch).is_ok() || !scratch.exists()).then_some(()));
        let _ = clock::wait_for(LIMIT, gone);
        process::exit(130);
    })
    .context("cannot listen for interrupts")
}

/// After an interrupt this does not return: the suite is about to end.
///
/// Otherwise whoever lost its servers would call that a failure, start the next ones, write to a folder that is being
/// removed, and put a table of failures into a document.
pub(crate) fn hold_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// For the ends of all children, and for the removal: each takes a moment, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(2);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
