//! Writes the files of `tests/fixtures/java-5.5.0` as this crate makes them, for `GoldenBytes.java --read` to check.

use std::{env, error::Error, fs, path::PathBuf};

use maxq_protocol::message::UniqueId;

#[path = "../tests/golden/values.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod values;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("usage: golden_bytes OUTDIR")?);
    fs::create_dir_all(&folder)?;
    for (name, bytes) in values::files() {
        fs::write(folder.join(name), bytes)?;
    }
    // One day into the month; Java reads the time out of it.
    let id = UniqueId::new([0xAB; 10], 86_400_000, 7);
    fs::write(folder.join("unique-id.txt"), format!("{id}\n"))?;
    Ok(())
}
