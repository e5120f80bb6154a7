//! Fetches one route: the topic's own, else the default topic's when that will do.

use std::{sync::Arc, time::Duration};

use maxq_policy::{NoQueues, Origin, PublishInfo};
use maxq_protocol::{
    RemotingCommand, ResponseCode, Topic,
    body::{TopicRouteData, from_json},
    header::GetRouteInfo,
    name::AUTO_CREATE_TOPIC,
};

use super::Wish;
use crate::{clock::Clock, error::RouteError, error::route::DefaultTopic, name_servers::NameServers};

/// What a fetch needs.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) name_servers: Arc<NameServers>,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
}

/// A fetched route.
pub(crate) struct Fetched {
    pub(super) publish: Result<Arc<PublishInfo>, NoQueues>,
    pub(super) data: Arc<TopicRouteData>,
    pub(super) name_server: Arc<str>,
}

impl Fetcher {
    /// As Apache's `DefaultMQProducerImpl.tryToFindTopicPublishInfo`: the topic, and if nobody knows it, TBW102.
    pub(crate) async fn fetch(&self, topic: &Topic, wish: Wish) -> Result<Fetched, RouteError> {
        let (name_server, answer) = self.ask(topic).await?;
        if answer.response_code() != ResponseCode::TOPIC_NOT_EXIST {
            return fetched(topic, Origin::Topic, name_server, &answer);
        }
        let Wish::OrDefault { max_queues } = wish else {
            return Err(RouteError::TopicNotFound { name_server, default_topic: DefaultTopic::NotWanted });
        };
        let (name_server, answer) = self.ask(AUTO_CREATE_TOPIC).await?;
        if answer.response_code() == ResponseCode::TOPIC_NOT_EXIST {
            return Err(RouteError::TopicNotFound { name_server, default_topic: DefaultTopic::NotOffered });
        }
        fetched(topic, Origin::DefaultTopic { max_queues }, name_server, &answer)
    }

    async fn ask(&self, topic: &str) -> Result<(Arc<str>, RemotingCommand), RouteError> {
        let request = GetRouteInfo { topic: topic.to_owned(), accept_standard_json_only: Some(true) };
        let deadline = self.clock.now() + self.timeout;
        self.name_servers.ask(&request, deadline).await.map_err(RouteError::NameServers)
    }
}

fn fetched(
    topic: &Topic,
    origin: Origin,
    name_server: Arc<str>,
    answer: &RemotingCommand,
) -> Result<Fetched, RouteError> {
    if answer.response_code() != ResponseCode::SUCCESS {
        let remark = answer.remark.clone().unwrap_or_default();
        return Err(RouteError::Refused { name_server, code: answer.response_code(), remark });
    }
    let data: TopicRouteData = match from_json(&answer.body) {
        Ok(data) => data,
        Err(why) => return Err(RouteError::Malformed { name_server, why }),
    };
    let publish = PublishInfo::new(topic.clone(), &data, origin).map(Arc::new);
    Ok(Fetched { publish, data: Arc::new(data), name_server })
}
