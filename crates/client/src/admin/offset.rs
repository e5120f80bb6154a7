//! Queues of a topic, and their offsets.

use std::sync::Arc;

use maxq_protocol::header::{GetEarliestStoreTime, GetMaxOffset, GetMinOffset, SearchOffset};

use super::{Admin, existing};
use crate::{ErrorCode, MessageQueue, RequestError, route::Wish};

impl Admin {
    /// The readable queues of `topic` (Apache's `fetchSubscribeMessageQueues`).
    ///
    /// # Errors
    /// No name server answers, or it does not know the topic.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>, RequestError> {
        Ok(self.route(topic).await?.readable_queues())
    }

    /// The queues of `topic` that can be written now: those with the write permission on a broker with a master
    /// (Apache's `fetchPublishMessageQueues`).
    ///
    /// # Errors
    /// No name server answers, or it does not know the topic.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn publish_queues(&self, topic: &str) -> Result<Vec<MessageQueue>, RequestError> {
        Ok(self.route(topic).await?.writable_queues())
    }

    /// The oldest offset of a queue (GET_MIN_OFFSET).
    ///
    /// # Errors
    /// No route, no broker, or it refuses. An unknown queue has the offset 0.
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
    /// No route, no broker, or it refuses. An unknown queue has the offset 0.
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
    /// Brokers of 4.9 give the message that is nearest to the time, which may be the one before; a
    /// [`Reader`](crate::Reader) leaves that one out.
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

    /// When the oldest message of a queue was stored, in milliseconds since 1970 (GET_EARLIEST_MSG_STORETIME); `None`
    /// when the queue is empty.
    ///
    /// # Errors
    /// No route, no broker, or it refuses.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn earliest_store_time(&self, queue: &MessageQueue) -> Result<Option<i64>, RequestError> {
        let request = GetEarliestStoreTime {
            topic: queue.topic().to_owned(),
            queue_id: queue.queue_id(),
            broker_name: Some(queue.broker_name().to_owned()),
        };
        let reply = self.shared().ask(&self.master_of(queue).await?, &request).await?;
        Ok((reply.timestamp >= 0).then_some(reply.timestamp))
    }

    async fn master_of(&self, queue: &MessageQueue) -> Result<Arc<str>, RequestError> {
        let topic = existing(queue.topic())?;
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
}
