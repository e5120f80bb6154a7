//! Topics: made and changed on every master, agreed on by the name servers, described, deleted.

use std::{sync::Arc, time::Duration};

use maxq_protocol::{
    ResponseCode, Topic,
    body::{TopicConfig, TopicRouteData, TopicStats, from_json, perm},
    header::{CreateTopic, DeleteTopic, DeleteTopicInNameServer, GetTopicConfig, GetTopicStats},
    name::AUTO_CREATE_TOPIC,
};

use super::{
    Admin, Broker, TopicAtBroker, TopicDescription, TopicRoute, all, existing, route_question,
    view::TopicDetails,
};
use crate::{ErrorCode, RequestError, route::Wish};

/// A topic to create or change.
///
/// ```
/// use maxq::admin::TopicSettings;
///
/// // To be read only: what is in it stays, and nothing new comes.
/// let settings = TopicSettings::default().queues(4).perm(4);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicSettings {
    /// Queues per broker. Default 8, as Apache's `mqadmin updateTopic`.
    pub queues: i32,
    /// Permission bits: 4 read, 2 write. Default 6.
    pub perm: i32,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self { queues: 8, perm: perm::READ | perm::WRITE }
    }
}

impl TopicSettings {
    /// The same settings with so many queues per broker.
    #[must_use]
    pub const fn queues(mut self, queues: i32) -> Self {
        self.queues = queues;
        self
    }

    /// The same settings with these permission bits.
    #[must_use]
    pub const fn perm(mut self, perm: i32) -> Self {
        self.perm = perm;
        self
    }

    fn check(&self) -> Result<(), RequestError> {
        if (1..=65_535).contains(&self.queues) && (0..=7).contains(&self.perm) {
            return Ok(());
        }
        Err(RequestError::invalid("a topic has 1 to 65535 queues per broker and a perm from 0 to 7"))
    }

    /// Why `route` is not what these settings make of `brokers`.
    fn differs(&self, route: &TopicRoute, brokers: &[String]) -> Option<String> {
        brokers.iter().find_map(|name| {
            let Some(told) = route.queues.iter().find(|queues| queues.broker == *name) else {
                return Some(format!("does not tell it of {name}"));
            };
            let is_same = told.read_queues == self.queues && told.write_queues == self.queues;
            let excess = told.perm & !self.perm & (perm::READ | perm::WRITE);
            (!is_same || excess != 0).then(|| {
                let (read, write, perm) = (told.read_queues, told.write_queues, told.perm);
                format!("still tells {read} read and {write} write queues with perm {perm} on {name}")
            })
        })
    }

    /// Whether `route` gives the whole permission on all `brokers`.
    fn is_granted(&self, route: &TopicRoute, brokers: &[String]) -> bool {
        let mut told = route.queues.iter().filter(|queues| brokers.contains(&queues.broker));
        told.all(|queues| self.perm & !queues.perm & (perm::READ | perm::WRITE) == 0)
    }
}

impl Admin {
    /// Creates or changes `topic` on every master of every cluster (UPDATE_AND_CREATE_TOPIC); gives the brokers' names.
    ///
    /// Brokers tell the name servers at once, and a client that knows the topic already may still use the old route
    /// for up to 30 s; [`ensure_topic`](Self::ensure_topic) waits for both.
    ///
    /// # Errors
    /// The name or a setting is not valid, no broker with a master is registered, or one refuses; others may have the
    /// topic then.
    ///
    /// # Cancel safety
    /// Dropped early, some brokers may have the topic. Asking again is fine.
    pub async fn create_topic(
        &self,
        topic: &str,
        settings: TopicSettings,
    ) -> Result<Vec<String>, RequestError> {
        let topic = own(Topic::new(topic).map_err(|error| RequestError::invalid(error.to_string()))?)?;
        settings.check()?;
        let request = CreateTopic {
            topic: topic.to_string(),
            default_topic: AUTO_CREATE_TOPIC.to_owned(),
            read_queue_nums: settings.queues,
            write_queue_nums: settings.queues,
            perm: settings.perm,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            topic_sys_flag: Some(0),
            order: Some(false),
            attributes: None,
            force: None,
        };
        let masters = self.masters(&topic).await?;
        let asked = all(masters.iter().map(|(_, address)| self.shared().ask(address, &request))).await;
        asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(masters.into_iter().map(|(name, _)| name).collect())
    }

    /// Creates or changes `topic` on every master, and waits for at most `within` until every name server that answers
    /// tells the new route, and this client uses it. Doing it again changes nothing.
    ///
    /// A broker whose own permission takes writing away (`brokerPermission`) grants less than asked for; that is waited
    /// for too, but is no error.
    ///
    /// # Errors
    /// As [`create_topic`](Self::create_topic); or the name servers do not agree in time
    /// ([`Timeout`](crate::RequestErrorKind::Timeout)): all brokers have the topic then.
    ///
    /// # Cancel safety
    /// As [`create_topic`](Self::create_topic).
    pub async fn ensure_topic(
        &self,
        topic: &str,
        settings: TopicSettings,
        within: Duration,
    ) -> Result<TopicRoute, RequestError> {
        let shared = self.shared();
        let until = shared.clock.now() + within;
        let brokers = self.create_topic(topic, settings.clone()).await?;
        let topic = existing(topic)?;
        let route = loop {
            let is_late = shared.clock.now() >= until;
            let why = match self.agreed_route(&topic, &settings, &brokers).await {
                // A broker that takes no writes for a while grants less for as long as that lasts.
                Ok(route) if is_late || settings.is_granted(&route, &brokers) => break route,
                Ok(_) => String::new(),
                Err(why) => why,
            };
            if is_late {
                return Err(RequestError::late(format!(
                    "the brokers have topic {topic}, but after {within:?} {why}"
                )));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        let known = shared.routes.known(&topic, Wish::Own, shared.clock.now()).map(|route| route.version);
        // Whoever does not get it now gets it with the next poll.
        drop(shared.routes.need(&topic, Wish::Own, known, shared.deadline()).await);
        Ok(route)
    }

    /// Deletes `topic` with its messages on every master of every cluster (DELETE_TOPIC_IN_BROKER), then makes every
    /// name server forget it (DELETE_TOPIC_IN_NAMESRV); gives the brokers' names.
    ///
    /// A producer that may create topics makes it anew with its next message.
    ///
    /// # Errors
    /// The topic is RocketMQ's own or no name server knows it; or a broker or a name server cannot be reached or
    /// refuses: the others may have deleted it then. Asking again goes on.
    ///
    /// # Cancel safety
    /// Dropped early, some brokers may have deleted it. Asking again is fine.
    pub async fn delete_topic(&self, topic: &str) -> Result<Vec<String>, RequestError> {
        let topic = own(existing(topic)?)?;
        self.need_topic(&topic).await?;
        let shared = self.shared();
        let request = DeleteTopic { topic: topic.to_string() };
        let masters = self.masters(&topic).await?;
        let asked = all(masters.iter().map(|(_, address)| shared.ask(address, &request))).await;
        asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        // A name server does not learn from its brokers that a topic is gone.
        let request = DeleteTopicInNameServer { topic: topic.to_string(), cluster: None };
        let servers = shared.each_name_server().await;
        let asked = all(servers.iter().map(|server| shared.ask_one_name_server(server, &request))).await;
        asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(masters.into_iter().map(|(name, _)| name).collect())
    }

    /// All about `topic`: on which brokers it is, with how many queues and which settings, and the offsets of each queue
    /// (GET_TOPIC_CONFIG, GET_TOPIC_STATS_INFO).
    ///
    /// # Errors
    /// No name server answers or none knows the topic, or one of its masters cannot be reached or refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn describe_topic(&self, topic: &str) -> Result<TopicDescription, RequestError> {
        let route = self.route(topic).await?;
        let described = all(route.brokers.iter().map(|broker| self.details(&route.topic, broker))).await;
        let mut brokers = Vec::with_capacity(described.len());
        for (broker, details) in route.brokers.iter().zip(described) {
            let group = route.queues.iter().find(|queues| queues.broker == broker.name);
            brokers.push(TopicAtBroker::new(broker.clone(), group, details?));
        }
        Ok(TopicDescription { topic: route.topic, brokers })
    }

    /// What the master of `broker` says of a topic; nothing where there is no master.
    async fn details(&self, topic: &str, broker: &Broker) -> Result<TopicDetails, RequestError> {
        let Some(master) = broker.master() else { return Ok(TopicDetails::default()) };
        let (shared, address) = (self.shared(), Arc::from(master));
        let stats: TopicStats = shared.ask_body(&address, &GetTopicStats { topic: topic.to_owned() }).await?;
        let config: Option<TopicConfig> = match shared
            .ask_body(&address, &GetTopicConfig { topic: topic.to_owned() })
            .await
        {
            Ok(config) => Some(config),
            // 4.9 does not know the question.
            Err(error) if error.response_code() == Some(ResponseCode::REQUEST_CODE_NOT_SUPPORTED.0) => None,
            Err(error) => return Err(error),
        };
        Ok(TopicDetails { stats, config })
    }

    /// Name and address of every master, by name.
    async fn masters(&self, topic: &Topic) -> Result<Vec<(String, Arc<str>)>, RequestError> {
        let brokers = self.clusters().await?.into_iter().flat_map(|cluster| cluster.brokers);
        let mut masters: Vec<_> =
            brokers.filter_map(|broker| Some((broker.name.clone(), broker.master()?.into()))).collect();
        masters.sort();
        if masters.is_empty() {
            return Err(RequestError::no_route(
                ErrorCode::NO_BROKER,
                format!("topic {topic}: no broker with a master is registered at the name server"),
            ));
        }
        Ok(masters)
    }

    /// The route if every name server that answers tells it of all `brokers`, else who does not.
    async fn agreed_route(
        &self,
        topic: &Topic,
        settings: &TopicSettings,
        brokers: &[String],
    ) -> Result<TopicRoute, String> {
        let mut agreed = None;
        for (address, asked) in self.routes_of_each(topic).await {
            match asked {
                Ok(Some(route)) => match settings.differs(&route, brokers) {
                    None => agreed = Some(route),
                    Some(why) => return Err(format!("name server {address} {why}")),
                },
                Ok(None) => return Err(format!("name server {address} does not know it")),
                // One that is down has nothing to agree on.
                Err(error) => tracing::debug!(name_server = %address, %error, "no answer"),
            }
        }
        agreed.ok_or_else(|| "no name server answers".to_owned())
    }

    /// Fails unless a name server knows the topic.
    async fn need_topic(&self, topic: &Topic) -> Result<(), RequestError> {
        let mut error = None;
        for (_, asked) in self.routes_of_each(topic).await {
            match asked {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(why) => error = error.or(Some(why)),
            }
        }
        Err(error.unwrap_or_else(|| {
            RequestError::no_route(ErrorCode::TOPIC_NOT_FOUND, format!("no name server knows topic {topic}"))
        }))
    }

    /// What each name server says; `None` where it does not know the topic.
    async fn routes_of_each(
        &self,
        topic: &Topic,
    ) -> Vec<(Arc<str>, Result<Option<TopicRoute>, RequestError>)> {
        let servers = self.shared().each_name_server().await.into_iter();
        let told = all(servers.map(async |server| (server.clone(), self.route_at(&server, topic).await)));
        told.await
    }

    /// What one name server says; `None` where it does not know the topic.
    pub(crate) async fn route_at(
        &self,
        server: &Arc<str>,
        topic: &Topic,
    ) -> Result<Option<TopicRoute>, RequestError> {
        let answer = self.shared().call_name_server(server, &route_question(topic)).await?;
        match answer.response_code() {
            ResponseCode::SUCCESS => from_json::<TopicRouteData>(&answer.body)
                .map(|data| Some(TopicRoute::new(topic.as_str(), data)))
                .map_err(|error| RequestError::answer(server, &error)),
            ResponseCode::TOPIC_NOT_EXIST => Ok(None),
            _ => Err(RequestError::refused_by_name_server(server, &answer)),
        }
    }
}

/// RocketMQ's own topics are not to be changed.
fn own(topic: Topic) -> Result<Topic, RequestError> {
    if topic.is_system() {
        return Err(RequestError::invalid(format!("topic {topic} is RocketMQ's own")));
    }
    Ok(topic)
}

const ASK_AGAIN: Duration = Duration::from_millis(50);
