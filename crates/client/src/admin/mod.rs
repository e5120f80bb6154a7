//! Questions about, and changes of, topics and brokers.

mod view;

use std::sync::Arc;

use maxq_protocol::{
    DecodeError, DecodeErrorKind, Header, RemotingCommand, Request, ResponseCode, Topic,
    body::{ClusterInfo, TopicList, TopicRouteData, from_json, perm},
    header::{
        CreateTopic, GetBrokerClusterInfo, GetMaxOffset, GetMinOffset, GetRouteInfo, GetTopicList,
        SearchOffset, ViewMessageById,
    },
    message::{OffsetMessageId, StoredMessage},
    name::AUTO_CREATE_TOPIC,
};

use crate::{
    Client, ErrorCode, MessageQueue, MessageView, RequestError, client::Shared, error::RouteError,
    remoting::Call, route::Wish,
};
pub use view::{Broker, Cluster, QueueGroup, TopicRoute};

/// Administration of a cluster, made by [`Client::admin`].
///
/// Every request has the client's request timeout (default 3 s) and is sent once. Most calls are one request; those
/// that ask for a route first, or several brokers one after the other, may take that long for each.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

/// A topic to create or change.
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
}

impl Admin {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The names of all topics, RocketMQ's own included (GET_ALL_TOPIC_LIST_FROM_NAMESERVER).
    ///
    /// # Errors
    /// No name server answers, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn topics(&self) -> Result<Vec<String>, RequestError> {
        let list: TopicList = self.ask_name_server(&GetTopicList {}).await?;
        let mut topics = list.topic_list;
        topics.sort();
        Ok(topics)
    }

    /// The clusters and their brokers (GET_BROKER_CLUSTER_INFO).
    ///
    /// # Errors
    /// No name server answers, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, RequestError> {
        let info: ClusterInfo = self.ask_name_server(&GetBrokerClusterInfo {}).await?;
        Ok(Cluster::all_of(info))
    }

    /// The route of `topic`, as a name server gives it now (GET_ROUTEINFO_BY_TOPIC).
    ///
    /// # Errors
    /// No name server answers, or it does not know the topic.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn route(&self, topic: &str) -> Result<TopicRoute, RequestError> {
        let topic = Topic::internal(topic).map_err(|error| RequestError::invalid(error.to_string()))?;
        let request = GetRouteInfo { topic: topic.to_string(), accept_standard_json_only: Some(true) };
        let route: TopicRouteData = self.ask_name_server(&request).await?;
        Ok(TopicRoute::new(topic.as_str(), route))
    }

    /// Creates or changes `topic` on every master of every cluster (UPDATE_AND_CREATE_TOPIC); gives the brokers' names.
    ///
    /// Brokers tell the name servers at once; a client may still see the old route for up to 30 s.
    ///
    /// # Errors
    /// The name or a setting is not valid, no broker with a master is registered, or one refuses; those before it have
    /// the topic then.
    ///
    /// # Cancel safety
    /// Dropped early, some brokers may have the topic. Asking again is fine.
    pub async fn create_topic(
        &self,
        topic: &str,
        settings: TopicSettings,
    ) -> Result<Vec<String>, RequestError> {
        let topic = Topic::new(topic).map_err(|error| RequestError::invalid(error.to_string()))?;
        if topic.is_system() {
            return Err(RequestError::invalid(format!("topic {topic} is RocketMQ's own")));
        }
        if !(1..=65_535).contains(&settings.queues) || !(0..=7).contains(&settings.perm) {
            return Err(RequestError::invalid(
                "a topic has 1 to 65535 queues per broker and a perm from 0 to 7",
            ));
        }
        let brokers: Vec<_> =
            self.clusters().await?.into_iter().flat_map(|cluster| cluster.brokers).collect();
        let mut names = Vec::new();
        for (name, master) in brokers.iter().filter_map(|broker| Some((&broker.name, broker.master()?))) {
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
            self.shared().ask(&master.into(), &request).await?;
            names.push(name.clone());
        }
        if names.is_empty() {
            return Err(RequestError::no_route(
                ErrorCode::NO_BROKER,
                format!("topic {topic}: no broker with a master is registered at the name server"),
            ));
        }
        Ok(names)
    }

    /// The readable queues of `topic`.
    ///
    /// # Errors
    /// No name server answers, or it does not know the topic.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>, RequestError> {
        Ok(self.route(topic).await?.readable_queues())
    }

    /// The oldest offset of a queue (GET_MIN_OFFSET).
    ///
    /// # Errors
    /// No route, no broker, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn min_offset(&self, queue: &MessageQueue) -> Result<i64, RequestError> {
        let request = GetMinOffset {
            topic: queue.topic().to_owned(),
            queue_id: queue.queue_id(),
            broker_name: Some(queue.broker_name().to_owned()),
        };
        Ok(self.shared().ask(&self.master_of(queue).await?, &request).await?.offset)
    }

    /// The next offset that will be written to a queue (GET_MAX_OFFSET).
    ///
    /// # Errors
    /// No route, no broker, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn max_offset(&self, queue: &MessageQueue) -> Result<i64, RequestError> {
        let request = GetMaxOffset {
            topic: queue.topic().to_owned(),
            queue_id: queue.queue_id(),
            committed: None,
            broker_name: Some(queue.broker_name().to_owned()),
        };
        Ok(self.shared().ask(&self.master_of(queue).await?, &request).await?.offset)
    }

    /// The offset of the first message stored at or after `timestamp`, in milliseconds since 1970
    /// (SEARCH_OFFSET_BY_TIMESTAMP).
    ///
    /// # Errors
    /// No route, no broker, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn search_offset(&self, queue: &MessageQueue, timestamp: i64) -> Result<i64, RequestError> {
        let request = SearchOffset {
            topic: queue.topic().to_owned(),
            queue_id: queue.queue_id(),
            timestamp,
            boundary_type: None,
            broker_name: Some(queue.broker_name().to_owned()),
        };
        Ok(self.shared().ask(&self.master_of(queue).await?, &request).await?.offset)
    }

    /// The message with this offset message id, asked at the broker whose address is in the id (VIEW_MESSAGE_BY_ID).
    ///
    /// # Errors
    /// The id does not parse, the broker cannot be reached, or it has no message there.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn view_message(&self, offset_id: &str) -> Result<MessageView, RequestError> {
        let id: OffsetMessageId = offset_id.parse().map_err(|_| {
            RequestError::invalid(format!("{offset_id:?} is no offset message id: 32 or 56 hex digits"))
        })?;
        let address: Arc<str> = id.store_host.to_string().into();
        let request = ViewMessageById { topic: None, offset: id.commit_log_offset };
        let answer = self.shared().ask_whole(&address, &request).await?;
        let read = || {
            let mut body = answer.body.clone();
            let record = StoredMessage::decode(&mut body)?;
            record.map(|record| MessageView::new(record, "", 64 << 20)).transpose()
        };
        match read() {
            Ok(Some(message)) => Ok(message),
            Ok(None) => {
                let error = DecodeError::new(DecodeErrorKind::Truncated, "stored message");
                Err(RequestError::answer(&address, &error))
            }
            Err(error) => Err(RequestError::answer(&address, &error)),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.client.shared()
    }

    async fn master_of(&self, queue: &MessageQueue) -> Result<Arc<str>, RequestError> {
        let topic =
            Topic::internal(queue.topic()).map_err(|error| RequestError::invalid(error.to_string()))?;
        let shared = self.shared();
        let route = shared.routes.need(&topic, Wish::Own, None, shared.deadline()).await?;
        let brokers = &route.data.broker_datas;
        let broker = brokers.iter().find(|broker| broker.broker_name == queue.broker_name());
        match broker.and_then(|broker| broker.broker_addrs.get(&0)) {
            Some(address) => Ok(address.as_str().into()),
            None if broker.is_some() => Err(RequestError::no_route(
                ErrorCode::NO_MASTER,
                format!("broker {} of topic {topic} has no master", queue.broker_name()),
            )),
            None => Err(RequestError::no_route(
                ErrorCode::QUEUE_GONE,
                format!("no broker {} holds topic {topic}", queue.broker_name()),
            )),
        }
    }

    async fn ask_name_server<R, T>(&self, request: &R) -> Result<T, RequestError>
    where
        R: Request,
        T: serde::de::DeserializeOwned,
    {
        let shared = self.shared();
        let asked = shared.name_servers.ask(request, shared.deadline()).await;
        let (address, answer) = asked.map_err(|tried| RequestError::from(RouteError::NameServers(tried)))?;
        if answer.response_code() != ResponseCode::SUCCESS {
            return Err(RequestError::refused_by_name_server(&address, &answer));
        }
        from_json(&answer.body).map_err(|error| RequestError::answer(&address, &error))
    }
}

impl Shared {
    /// Asks one server and reads the fields of its answer.
    pub(crate) async fn ask<R: Request>(
        &self,
        address: &Arc<str>,
        request: &R,
    ) -> Result<R::Response, RequestError> {
        let answer = self.ask_whole(address, request).await?;
        R::Response::read(&answer.ext).map_err(|error| RequestError::answer(address, &error))
    }

    /// Asks one server; any code but SUCCESS is an error.
    async fn ask_whole<R: Request>(
        &self,
        address: &Arc<str>,
        request: &R,
    ) -> Result<RemotingCommand, RequestError> {
        let asked = self.remoting.call(address, Call::new(request, self.deadline())).await;
        let answer = asked.map_err(|error| RequestError::call(self, address, &error))?;
        if answer.response_code() == ResponseCode::SUCCESS {
            Ok(answer)
        } else {
            Err(RequestError::refused(address, &answer))
        }
    }
}
