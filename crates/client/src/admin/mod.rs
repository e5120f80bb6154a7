//! Questions about, and changes of, topics and brokers.

mod broker;
mod message;
mod offset;
mod topic;
mod view;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use maxq_protocol::{
    RemotingCommand, Request, ResponseCode, Topic,
    body::{ClusterInfo, TopicList, TopicRouteData, from_json},
    header::{GetBrokerClusterInfo, GetRouteInfo, GetTopicList, Header},
};

use crate::{Client, RequestError, client::Shared, error::RouteError, remoting::Call};
pub use broker::BrokerRuntime;
pub use message::{Found, KeyQuery};
pub use topic::TopicSettings;
pub use view::{Broker, Cluster, QueueGroup, QueueState, TopicAtBroker, TopicDescription, TopicRoute};

/// Administration of a cluster, made by [`Client::admin`].
///
/// Every request has the client's request timeout (default 3 s) and is sent once. Most calls are one request; those
/// that ask for a route first may take that long for each. Several brokers are asked at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// use std::time::Duration;
/// use maxq::admin::TopicSettings;
///
/// let admin = client.admin();
/// admin.ensure_topic("parcels", TopicSettings::default().queues(4), Duration::from_secs(5)).await?;
/// assert!(admin.topics().await?.contains(&"parcels".to_owned()));
/// for queue in admin.queues("parcels").await? {
///     println!("{queue}: {} to {}", admin.min_offset(&queue).await?, admin.max_offset(&queue).await?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
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
        let topic = existing(topic)?;
        let route: TopicRouteData = self.ask_name_server(&route_question(&topic)).await?;
        Ok(TopicRoute::new(topic.as_str(), route))
    }

    fn shared(&self) -> &Arc<Shared> {
        self.client.shared()
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

    /// Asks one server and reads the JSON body of its answer.
    pub(crate) async fn ask_body<R, T>(&self, address: &Arc<str>, request: &R) -> Result<T, RequestError>
    where
        R: Request,
        T: serde::de::DeserializeOwned,
    {
        let answer = self.ask_whole(address, request).await?;
        from_json(&answer.body).map_err(|error| RequestError::answer(address, &error))
    }

    /// Asks one server; any code but SUCCESS is an error.
    pub(crate) async fn ask_whole<R: Request>(
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

    /// Asks one name server, whatever it answers.
    pub(crate) async fn call_name_server<R: Request>(
        &self,
        server: &Arc<str>,
        request: &R,
    ) -> Result<RemotingCommand, RequestError> {
        let asked = self.name_servers.call(server, request, self.deadline()).await;
        asked.map_err(|error| RouteError::NameServers(vec![(server.clone(), error)]).into())
    }

    /// Asks one name server; any code but SUCCESS is an error.
    pub(crate) async fn ask_one_name_server<R: Request>(
        &self,
        server: &Arc<str>,
        request: &R,
    ) -> Result<RemotingCommand, RequestError> {
        let answer = self.call_name_server(server, request).await?;
        if answer.response_code() == ResponseCode::SUCCESS {
            Ok(answer)
        } else {
            Err(RequestError::refused_by_name_server(server, &answer))
        }
    }

    /// The name servers, each to be asked on its own: every address of a name, or all that an address endpoint names.
    async fn each_name_server(&self) -> Vec<Arc<str>> {
        self.name_servers.each(self.deadline()).await
    }
}

/// A topic that may be there already, whatever its name.
fn existing(topic: &str) -> Result<Topic, RequestError> {
    Topic::internal(topic).map_err(|error| RequestError::invalid(error.to_string()))
}

fn route_question(topic: &Topic) -> GetRouteInfo {
    GetRouteInfo { topic: topic.to_string(), accept_standard_json_only: Some(true) }
}

/// Waits for all futures at once, in this task; gives their outputs in their order.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_ready = true;
        for (future, output) in open.iter_mut().filter(|(_, output)| output.is_none()) {
            match Pin::as_mut(future).poll(context) {
                Poll::Ready(ready) => *output = Some(ready),
                Poll::Pending => is_ready = false,
            }
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    open.into_iter().filter_map(|(_, output)| output).collect()
}
