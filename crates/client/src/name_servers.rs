//! The configured name servers: the one that answered last is asked first, the others follow within the deadline.

use std::sync::Arc;

use maxq_policy::{Time, name_server::StickyChoice};
use maxq_protocol::{RemotingCommand, Request};

use crate::{
    clock::Clock,
    remoting::{Call, CallError, Remoting},
};

pub(crate) struct NameServers {
    servers: Vec<Arc<str>>,
    choice: StickyChoice,
    remoting: Arc<Remoting>,
    clock: Clock,
}

/// What each name server said instead of an answer.
pub(crate) type NoneAnswered = Vec<(Arc<str>, CallError)>;

impl NameServers {
    pub(crate) fn new(servers: Vec<Arc<str>>, start: usize, remoting: Arc<Remoting>, clock: Clock) -> Self {
        Self { servers, choice: StickyChoice::new(start), remoting, clock }
    }

    /// The servers, to be named in an error.
    pub(crate) fn list(&self) -> Arc<str> {
        self.servers.join(", ").into()
    }

    /// Asks until one answers, whatever it says. Each gets its share of the time that is left, so that a silent one
    /// leaves some for the next.
    ///
    /// # Cancel safety
    /// Safe: requests to name servers change nothing.
    pub(crate) async fn ask<R: Request>(
        &self,
        request: &R,
        deadline: Time,
    ) -> Result<(Arc<str>, RemotingCommand), NoneAnswered> {
        let mut tried = Vec::new();
        for (asked, index) in self.choice.order(self.servers.len()).enumerate() {
            let server = &self.servers[index];
            let now = self.clock.now();
            let share = deadline.since(now) / (self.servers.len() - asked) as u32;
            match self.remoting.call(server, Call::new(request, now + share)).await {
                Ok(answer) => {
                    self.choice.observe_answer(index);
                    return Ok((server.clone(), answer));
                }
                Err(error) => {
                    tracing::debug!(name_server = %server, cause = %error.cause, "name server did not answer");
                    tried.push((server.clone(), error));
                }
            }
        }
        Err(tried)
    }
}
