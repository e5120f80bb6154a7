//! An address: who listens there, who waits to be accepted, and what is wrong with the way to it.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use tokio::sync::{Notify, futures::OwnedNotified};

use super::{
    VirtualNetwork, VirtualStream,
    link::{Goodbye, Link},
};

/// What is behind an address.
#[derive(Default)]
pub(super) struct Endpoint {
    is_listening: bool,
    refuses: bool,
    swallows: bool,
    /// Connections that nobody has accepted yet, at most [`BACKLOG`].
    backlog: VecDeque<(VirtualStream, SocketAddr)>,
    links: Vec<Weak<Link>>,
    changed: Arc<Notify>,
}

/// Whether somebody can be reached.
pub(super) enum Reachable<T> {
    Yes(T),
    Refuses,
    /// Not before this comes.
    NotNow(OwnedNotified),
}

impl Endpoint {
    pub(super) fn reachable(&self) -> Reachable<()> {
        if self.swallows {
            Reachable::NotNow(Arc::clone(&self.changed).notified_owned())
        } else if self.refuses || !self.is_listening {
            Reachable::Refuses
        } else if self.backlog.len() >= BACKLOG {
            Reachable::NotNow(Arc::clone(&self.changed).notified_owned())
        } else {
            Reachable::Yes(())
        }
    }

    pub(super) fn queue(&mut self, link: &Arc<Link>, accepted: VirtualStream, caller: SocketAddr) {
        self.links.retain(|link| link.strong_count() > 0);
        self.links.push(Arc::downgrade(link));
        self.backlog.push_back((accepted, caller));
        self.changed.notify_waiters();
    }

    pub(super) fn listen(&mut self) -> io::Result<()> {
        if self.is_listening {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.is_listening = true;
        Ok(())
    }

    pub(super) fn refuse(&mut self) {
        self.refuses = true;
    }

    pub(super) fn swallow(&mut self) -> Vec<Arc<Link>> {
        self.swallows = true;
        self.links()
    }

    pub(super) fn heal(&mut self) -> Vec<Arc<Link>> {
        (self.refuses, self.swallows) = (false, false);
        self.changed.notify_waiters();
        self.links()
    }

    /// The connections that at least one end still has, oldest first.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.links.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Somebody who listens on a virtual network. Dropping it refuses whoever waits and frees the address.
pub(crate) struct VirtualListener {
    network: VirtualNetwork,
    address: SocketAddr,
}

impl VirtualListener {
    pub(super) fn new(network: VirtualNetwork, address: SocketAddr) -> Self {
        Self { network, address }
    }

    /// Waits for the next connection, and says from where it comes.
    ///
    /// Cancel safety: dropped early, no connection is lost.
    pub(crate) async fn accept(&self) -> (VirtualStream, SocketAddr) {
        let address = self.address.to_string();
        loop {
            let changed = {
                let mut state = self.network.state();
                let endpoint = state.endpoint(&address);
                if let Some(accepted) = endpoint.backlog.pop_front() {
                    endpoint.changed.notify_waiters();
                    return accepted;
                }
                Arc::clone(&endpoint.changed).notified_owned()
            };
            changed.await;
        }
    }
}

impl Drop for VirtualListener {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.network.state();
            let endpoint = state.endpoint(&self.address.to_string());
            endpoint.is_listening = false;
            endpoint.changed.notify_waiters();
            std::mem::take(&mut endpoint.backlog)
        };
        for (mut stream, _) in waiting {
            stream.leave(Goodbye::Reset);
        }
    }
}

/// `ServerBootstrap.option(SO_BACKLOG)` is 1024 with Apache; Linux cuts it to 128 or 4096.
const BACKLOG: usize = 128;
