//! What a name server is asked: GET_ROUTEINFO_BY_TOPIC (105), GET_BROKER_CLUSTER_INFO (106),
//! GET_ALL_TOPIC_LIST_FROM_NAMESERVER (206). The answers are JSON bodies, see [`body`](crate::body).

use super::{Empty, headers};

/// The answer to [`GetRouteInfo`] has no fields; its body is a [`TopicRouteData`](crate::body::TopicRouteData).
pub type RouteInfoReply = Empty;
/// The answer to [`GetBrokerClusterInfo`] has no fields; its body is a [`ClusterInfo`](crate::body::ClusterInfo).
pub type ClusterInfoReply = Empty;
/// The answer to [`GetTopicList`] has no fields; its body is a [`TopicList`](crate::body::TopicList).
pub type TopicListReply = Empty;

headers! {
    /// Asks for the route of a topic (Apache's `GetRouteInfoRequestHeader`).
    struct GetRouteInfo: GET_ROUTEINFO_BY_TOPIC -> RouteInfoReply {
        /// The topic.
        "topic" => topic: String,
        /// Asks for quoted map keys whatever the version says. Servers before 4.9.4 ignore it.
        "acceptStandardJsonOnly" => accept_standard_json_only: Option<bool>,
    }

    /// Asks for clusters and brokers.
    struct GetBrokerClusterInfo: GET_BROKER_CLUSTER_INFO -> ClusterInfoReply {}

    /// Asks for the names of all topics.
    struct GetTopicList: GET_ALL_TOPIC_LIST_FROM_NAMESERVER -> TopicListReply {}
}
