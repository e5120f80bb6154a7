//! Which name server is asked next: the one that answered last, as long as it answers.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::Time;

/// The name servers of one client, and in which order they are asked.
///
/// The choice is sticky, as in Apache's `NettyRemotingClient.getAndCreateNameserverChannel`: name servers do not talk
/// to each other and may disagree for up to 30 s, so a client stays with one while it works. A server that failed is
/// asked last for [`REST`](Self::REST). What is known of a server outlives a change of the list that keeps it.
#[derive(Debug)]
pub struct NameServerChoice {
    servers: Vec<Server>,
    /// Who answered last, and has not failed since.
    current: Option<Arc<str>>,
    /// Where those begin who have no answer yet; chance spreads clients over the servers.
    start: usize,
}

#[derive(Debug)]
struct Server {
    address: Arc<str>,
    failed: Option<Time>,
}

impl NameServerChoice {
    /// How long a server that failed is asked after all others.
    pub const REST: Duration = Duration::from_secs(30);

    /// No servers yet. The first question begins at `start`, taken modulo their number.
    pub const fn new(start: usize) -> Self {
        Self { servers: Vec::new(), current: None, start }
    }

    /// The servers from now on, as they are to be dialled; says which of the former ones are not among them. The
    /// server that answered last stays the first when it is still there.
    pub fn update(&mut self, addresses: impl IntoIterator<Item = Arc<str>>) -> Vec<Arc<str>> {
        let mut servers: Vec<Server> = Vec::new();
        for address in addresses {
            if servers.iter().all(|server| server.address != address) {
                let failed = self.server(&address).and_then(|known| known.failed);
                servers.push(Server { address, failed });
            }
        }
        let former = core::mem::replace(&mut self.servers, servers);
        if self.current.as_ref().is_some_and(|current| self.server(current).is_none()) {
            self.current = None;
        }
        let gone = former.into_iter().map(|server| server.address);
        gone.filter(|address| self.server(address).is_none()).collect()
    }

    /// The servers, in the order in which they were given.
    pub fn addresses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.servers.iter().map(|server| &server.address)
    }

    /// The order in which the servers are asked at `now`.
    pub fn order(&self, now: Time) -> Vec<Arc<str>> {
        let count = self.servers.len();
        let current = self.current.as_ref().and_then(|current| self.position(current));
        let start = current.unwrap_or(self.start % count.max(1));
        let mut order: Vec<_> = (0..count).map(|step| &self.servers[(start + step) % count]).collect();
        // Stable: those that are well keep their order, the others follow, the longest ago first.
        order.sort_by_key(|server| server.failed.filter(|failed| now.since(*failed) < Self::REST));
        order.into_iter().map(|server| server.address.clone()).collect()
    }

    /// Whether one of the servers has answered, and has not failed since. If not, nobody knows whom to ask best.
    pub const fn is_settled(&self) -> bool {
        self.current.is_some()
    }

    /// The server at `address` answered: begin there next time.
    pub fn observe_answer(&mut self, address: &str) {
        if let Some(position) = self.position(address) {
            self.servers[position].failed = None;
            self.current = Some(self.servers[position].address.clone());
        }
    }

    /// The server at `address` gave no answer that could be used.
    pub fn observe_failure(&mut self, now: Time, address: &str) {
        if let Some(position) = self.position(address) {
            self.servers[position].failed = Some(now);
        }
        self.current.take_if(|current| &**current == address);
    }

    fn position(&self, address: &str) -> Option<usize> {
        self.servers.iter().position(|server| &*server.address == address)
    }

    fn server(&self, address: &str) -> Option<&Server> {
        self.position(address).map(|position| &self.servers[position])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(addresses: &[&str], start: usize) -> NameServerChoice {
        let mut choice = NameServerChoice::new(start);
        assert!(choice.update(addresses.iter().map(|address| (*address).into())).is_empty());
        choice
    }

    fn order(choice: &NameServerChoice, now: Time) -> Vec<Arc<str>> {
        choice.order(now)
    }

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    fn at(secs: u64) -> Time {
        Time::from_start(Duration::from_secs(secs))
    }

    #[test]
    fn the_server_that_answered_is_asked_first() {
        let mut choice = of(&["a", "b", "c"], 7);
        assert!(!choice.is_settled());
        assert_eq!(order(&choice, at(0)), names(&["b", "c", "a"]));
        choice.observe_answer("c");
        assert!(choice.is_settled());
        assert_eq!(order(&choice, at(0)), names(&["c", "a", "b"]));
        assert!(of(&[], 3).order(at(0)).is_empty());
    }

    #[test]
    fn a_server_that_failed_is_asked_last_for_a_while() {
        let mut choice = of(&["a", "b", "c"], 0);
        choice.observe_answer("a");
        choice.observe_failure(at(1), "a");
        assert!(!choice.is_settled());
        assert_eq!(order(&choice, at(2)), names(&["b", "c", "a"]));
        choice.observe_failure(at(2), "b");
        assert_eq!(order(&choice, at(2)), names(&["c", "a", "b"]), "the longest ago first");
        assert_eq!(order(&choice, at(31)), names(&["a", "c", "b"]), "a has rested");
        choice.observe_answer("b");
        assert_eq!(order(&choice, at(31)), names(&["b", "c", "a"]));
    }

    #[test]
    fn a_change_of_the_list_keeps_what_is_known() {
        let mut choice = of(&["a", "b", "c"], 0);
        choice.observe_answer("b");
        choice.observe_failure(at(1), "c");
        assert_eq!(choice.update(names(&["c", "d", "b", "d"])), names(&["a"]));
        assert_eq!(order(&choice, at(2)), names(&["b", "d", "c"]));
        assert_eq!(choice.update(names(&["d"])), names(&["c", "b"]));
        assert!(!choice.is_settled(), "who answered last is gone");
        assert_eq!(choice.addresses().cloned().collect::<Vec<_>>(), names(&["d"]));
    }
}
