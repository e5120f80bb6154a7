//! Getting ready before the first send: routes, connections, and brokers that know who we are.

use std::{collections::BTreeMap, sync::Arc};

use maxq_policy::{Broker, Time};
use maxq_protocol::{Group, Topic};

use crate::{RequestError, client::Shared, remoting::CallError, route::Wish, together::together};

/// What became of the heartbeat to a broker.
type Heard = BTreeMap<Arc<str>, Result<(), CallError>>;

impl Shared {
    /// Fetches the routes of `topics`, connects to their masters and announces us to them, all at once. The routes are
    /// kept fresh from now on, as long as a producer of `group` lives.
    ///
    /// # Errors
    /// The first topic without a route to write to, or of which no master answers.
    ///
    /// # Cancel safety
    /// Safe: what is ready by then stays ready.
    pub(crate) async fn prewarm(
        &self,
        group: &Group,
        topics: &[Topic],
        wish: Wish,
        deadline: Time,
    ) -> Result<(), RequestError> {
        self.roles.add_topics(group, topics, wish);
        let routes = topics.iter().map(|topic| self.routes.need(topic, wish, None, deadline));
        let mut infos = Vec::new();
        for route in together(routes.collect()).await {
            infos.push(route?.publish_info()?.clone());
        }
        let brokers: BTreeMap<_, _> =
            infos.iter().flat_map(|info| info.brokers()).map(|broker| (&broker.address, broker)).collect();
        let heard = self.announce_to(brokers.into_values(), deadline).await;
        for info in infos {
            self.one_answers(info.brokers(), &heard)?;
        }
        Ok(())
    }

    async fn announce_to<'a>(&self, brokers: impl Iterator<Item = &'a Broker>, deadline: Time) -> Heard {
        let Some(body) = self.announcer.body() else { return Heard::new() };
        let calls = brokers.map(|broker| {
            let body = body.clone();
            async move {
                let announced = self.announcer.announce(&broker.address, &broker.name, body, deadline).await;
                (broker.address.clone(), announced)
            }
        });
        together(calls.collect()).await.into_iter().collect()
    }

    fn one_answers(&self, brokers: &[Broker], heard: &Heard) -> Result<(), RequestError> {
        let mut failed = Ok(());
        for broker in brokers {
            match heard.get(&broker.address) {
                Some(Err(error)) => failed = Err(RequestError::call(self, &broker.address, error)),
                _ => return Ok(()),
            }
        }
        failed
    }
}
