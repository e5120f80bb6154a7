//! The client's own log on standard error, for those who ask for it.

use std::env;

use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// Logs what `MAXQ_LOG` says, else what the number of `-v` says, else nothing.
///
/// # Errors
/// `MAXQ_LOG` does not parse.
pub(crate) fn start(verbose: u8) -> anyhow::Result<()> {
    let asked = env::var("MAXQ_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = match (asked, verbose) {
        (Some(filter), _) => EnvFilter::try_new(&filter).map_err(|error| {
            Failure::usage(format!("MAXQ_LOG={filter:?}: {error}; write maxq=debug, for example"))
        })?,
        (None, 0) => return Ok(()),
        (None, 1) => EnvFilter::new("info"),
        (None, 2) => EnvFilter::new("debug"),
        (None, _) => EnvFilter::new("trace"),
    };
    // Colours by the same rules as everything else; the layer writes its codes and the stream takes them out.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(anstream::stderr).init();
    Ok(())
}
