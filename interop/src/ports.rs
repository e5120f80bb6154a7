//! Free ports for servers that cannot choose their own.
//!
//! A broker needs three: its own p, p - 2 (the "VIP" port, Apache's `BrokerController.initializeRemotingServer`) and
//! p + 1 for replication. A free port can be taken by somebody else before the server binds it, so a start that meets
//! a taken port is repeated with others.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};

/// A free port for a name server.
pub(crate) fn name_server() -> Result<u16> {
    find(&[0])
}

/// A port whose two companions are free as well.
pub(crate) fn broker() -> Result<u16> {
    find(&[0, VIP, REPLICATION])
}

/// Walks on from where the last search ended: no two searches of this process return the same port.
fn find(offsets: &[i16]) -> Result<u16> {
    static STEPS: AtomicU32 = AtomicU32::new(0);
    // Suites that run side by side begin far from each other.
    let first = process::id().wrapping_mul(7919) % SPAN;
    (0..SPAN / STEP)
        .map(|_| FIRST + (first + STEPS.fetch_add(1, Ordering::Relaxed) % SPAN * STEP) % SPAN)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| offsets.iter().all(|offset| is_free(port.wrapping_add_signed(*offset))))
        .context("no free ports between 11000 and 31000")
}

fn is_free(port: u16) -> bool {
    // Java binds the wildcard address; a listener on any single address is in its way.
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// Below the range that Linux takes for outgoing connections (32768 and up), which come and go at any time.
const FIRST: u32 = 11_000;
const SPAN: u32 = 20_000;
/// Wider than a broker's ports, so that neighbours cannot overlap.
const STEP: u32 = 5;
const VIP: i16 = -2;
/// `haListenPort` as the launcher sets it.
pub(crate) const REPLICATION: i16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_brokers_never_share_a_port() {
        let (one, two) = (broker().unwrap(), broker().unwrap());
        assert!(u32::from(one.abs_diff(two)) >= STEP, "{one} {two}");
    }

    #[test]
    fn a_port_whose_companion_is_taken_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(port));
    }
}
