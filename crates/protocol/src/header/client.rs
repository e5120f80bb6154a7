//! How a client says who it is: HEART_BEAT (34), UNREGISTER_CLIENT (35), CHECK_CLIENT_CONFIG (46).

use super::{Empty, headers};

headers! {
    /// Registers the groups in the body, a [`HeartbeatData`](crate::body::HeartbeatData).
    struct Heartbeat: HEART_BEAT -> HeartbeatReply {}

    /// What a broker answers to a heartbeat; old brokers answer nothing.
    struct HeartbeatReply {
        /// Whether the broker knows fingerprints.
        "IS_SUPPORT_HEART_BEAT_V2" => supports_v2: Option<bool>,
        /// Whether the subscriptions changed.
        "IS_SUB_CHANGE" => subscription_changed: Option<bool>,
    }

    /// Drops one producer group, one consumer group, or both (Apache's `UnregisterClientRequestHeader`).
    struct UnregisterClient: UNREGISTER_CLIENT -> Empty {
        /// Who leaves.
        "clientID" => client_id: String,
        /// The producer group that it leaves.
        "producerGroup" => producer_group: Option<String>,
        /// The consumer group that it leaves.
        "consumerGroup" => consumer_group: Option<String>,
    }

    /// Asks whether a subscription would be accepted; the body says which.
    struct CheckClientConfig: CHECK_CLIENT_CONFIG -> Empty {}
}
