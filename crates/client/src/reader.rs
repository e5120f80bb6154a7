//! Reads one queue from a chosen place, without a consumer group.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use maxq_policy::Time;
use maxq_protocol::{
    ResponseCode, Topic,
    header::{GetMaxOffset, GetMinOffset, PullMessage, PullReply, SearchOffset},
    message::{PullSysFlag, StoredMessage},
};

use crate::{
    Client, ErrorCode, MessageQueue, MessageView, RequestError,
    client::Shared,
    remoting::Call,
    route::{Route, Wish},
};

/// Where a reader begins.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{From, Message};
///
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// let mut reader = client.reader(receipt.queue(), From::End);
/// assert!(reader.next().await?.is_none());
/// reader.seek(From::Offset(receipt.queue_offset()));
/// assert_eq!(reader.next().await?.unwrap().body(), "paid");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// The oldest message.
    Start,
    /// Behind the newest message: only what comes from now on.
    End,
    /// This offset.
    Offset(u64),
    /// The first message stored at or after this time, in milliseconds since 1970 by the broker's clock.
    Time(i64),
}

/// Reads the messages of one queue in order. It commits nothing and disturbs no consumer.
///
/// The checksum of each message is compared and its body decompressed. One that cannot be read is an error once, which
/// names its offset; the next call goes on behind it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let queue = client.admin().queues("orders").await?.remove(0);
/// use maxq::From;
///
/// let mut reader = client.reader(&queue, From::Start);
/// while let Some(message) = reader.next().await? {
///     println!("{}: {:?}", message.queue_offset(), message.body());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader {
    client: Client,
    queue: MessageQueue,
    from: From,
    /// The next offset to pull; known after the first question.
    next: Option<i64>,
    /// Messages, and what could not be read between them.
    fetched: VecDeque<Result<MessageView, RequestError>>,
    /// Messages stored before this are left out until the first that was not: brokers of 4.9 take the message that is
    /// nearest to a time, which may be the one before (`ConsumeQueue.getOffsetInQueueByTime`).
    not_before: Option<i64>,
}

impl Reader {
    pub(crate) fn new(client: Client, queue: MessageQueue, from: From) -> Self {
        Self { client, queue, from, next: None, fetched: VecDeque::new(), not_before: from.time() }
    }

    /// The next message, or `None` at the present end of the queue; asking again goes on from there.
    ///
    /// # Errors
    /// No route, no broker, or the broker refuses: asking again tries again at the same place. Or a message cannot be
    /// read: asking again goes on behind it.
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn next(&mut self) -> Result<Option<MessageView>, RequestError> {
        self.next_within(Duration::ZERO).await
    }

    /// The next message, waiting up to `within` for one to come; `None` when none came.
    ///
    /// The broker holds the question until there is a message, so waiting costs next to nothing.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn next_within(&mut self, within: Duration) -> Result<Option<MessageView>, RequestError> {
        let until = self.client.shared().clock.now() + within;
        loop {
            if let Some(fetched) = self.fetched.pop_front() {
                return fetched.map(Some);
            }
            let ended = self.pull(until).await?;
            if ended && self.fetched.is_empty() {
                return Ok(None);
            }
        }
    }

    /// The queue.
    pub const fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// Goes to another place. What was fetched already is forgotten.
    pub fn seek(&mut self, from: From) {
        self.from = from;
        self.next = None;
        self.fetched.clear();
        self.not_before = from.time();
    }

    /// Pulls once. True at the end of the queue, when the time for waiting is over.
    async fn pull(&mut self, until: Time) -> Result<bool, RequestError> {
        let client = self.client.shared().clone();
        let (topic, route) = self.route(&client).await?;
        let address = self.address(&route)?;
        let pulled = self.pull_from(&client, &address, until).await;
        if pulled.is_err() {
            // The broker may have moved; the next try sees the new route, if there is one by then.
            client.routes.report(&topic, route.version);
        }
        pulled
    }

    async fn pull_from(
        &mut self,
        client: &Shared,
        address: &Arc<str>,
        until: Time,
    ) -> Result<bool, RequestError> {
        let offset = match self.next {
            Some(offset) => offset,
            None => self.first_offset(client, address).await?,
        };
        self.next = Some(offset);
        let hold = until.since(client.clock.now()).min(LONGEST_HOLD);
        let request = self.request(offset, hold);
        let call = Call::new(&request, client.deadline() + hold);
        let asked = client.remoting.call(address, call).await;
        let answer = asked.map_err(|error| RequestError::call(client, address, &error))?;
        let code = answer.response_code();
        let known = [
            ResponseCode::SUCCESS,
            ResponseCode::PULL_NOT_FOUND,
            ResponseCode::PULL_RETRY_IMMEDIATELY,
            ResponseCode::PULL_OFFSET_MOVED,
        ];
        if !known.contains(&code) {
            return Err(RequestError::refused(address, &answer));
        }
        let reply: PullReply = answer.header().map_err(|error| RequestError::answer(address, &error))?;
        let places = offset..reply.next_begin_offset;
        let end = match code {
            ResponseCode::SUCCESS => self.take_records(answer.body, places, address),
            _ => None,
        };
        // The broker's word counts on 20 and 21 too; but an answer that leads nowhere must not become a busy loop.
        let next = end.unwrap_or(reply.next_begin_offset);
        self.next = Some(next);
        let waited = client.clock.now() >= until;
        Ok(match code {
            ResponseCode::PULL_NOT_FOUND => waited,
            _ => next == offset && self.fetched.is_empty(),
        })
    }

    fn request(&self, offset: i64, hold: Duration) -> PullMessage {
        let suspend = if hold.is_zero() { 0 } else { PullSysFlag::SUSPEND.0 };
        PullMessage {
            consumer_group: GROUP.to_owned(),
            topic: self.queue.topic().to_owned(),
            queue_id: self.queue.queue_id(),
            queue_offset: offset,
            max_messages: BATCH,
            sys_flag: PullSysFlag::SUBSCRIPTION.0 | suspend,
            commit_offset: Some(0),
            suspend_timeout_millis: Some(i64::try_from(hold.as_millis()).unwrap_or(0)),
            subscription: Some("*".to_owned()),
            subscription_version: Some(0),
            expression_type: Some("TAG".to_owned()),
            broker_name: Some(self.queue.broker_name().to_owned()),
        }
    }

    /// Takes the messages of an answer for these places. Gives the place to go on from if the rest was lost with a bad
    /// record.
    fn take_records(&mut self, mut body: Bytes, places: Range<i64>, address: &Arc<str>) -> Option<i64> {
        let mut next = places.start;
        while !body.is_empty() {
            // A bad record may still say where it is; else it stands where the next one was expected.
            let at = offset_of(&body).filter(|at| places.contains(at)).unwrap_or(next);
            next = at.saturating_add(1);
            let view = |record| MessageView::new(record, self.queue.broker_name(), LARGEST_BODY);
            let read = StoredMessage::decode(&mut body).and_then(|record| record.map(view).transpose());
            match read {
                Ok(Some(message)) => self.take(message, places.start),
                Ok(None) => return None,
                Err(error) => {
                    let what =
                        format!("the message at offset {at} of {} cannot be read: {error}", self.queue);
                    self.fetched.push_back(Err(RequestError::damaged(address, what)));
                    if body.is_empty() {
                        return Some(next);
                    }
                }
            }
        }
        None
    }

    fn take(&mut self, message: MessageView, from: i64) {
        if message.queue_offset().cast_signed() < from {
            return;
        }
        if self.not_before.is_some_and(|time| message.store_timestamp() < time) {
            return;
        }
        self.not_before = None;
        self.fetched.push_back(Ok(message));
    }

    async fn first_offset(&self, client: &Shared, address: &Arc<str>) -> Result<i64, RequestError> {
        let (topic, queue_id) = (self.queue.topic().to_owned(), self.queue.queue_id());
        let broker_name = Some(self.queue.broker_name().to_owned());
        let reply = match self.from {
            From::Offset(offset) => return Ok(i64::try_from(offset).unwrap_or(i64::MAX)),
            From::Start => client.ask(address, &GetMinOffset { topic, queue_id, broker_name }).await?,
            From::End => {
                client.ask(address, &GetMaxOffset { topic, queue_id, committed: None, broker_name }).await?
            }
            From::Time(timestamp) => {
                let request = SearchOffset { topic, queue_id, timestamp, boundary_type: None, broker_name };
                client.ask(address, &request).await?
            }
        };
        Ok(reply.offset)
    }

    async fn route(&self, client: &Shared) -> Result<(Topic, Arc<Route>), RequestError> {
        let topic =
            Topic::internal(self.queue.topic()).map_err(|error| RequestError::invalid(error.to_string()))?;
        let route = client.routes.need(&topic, Wish::Own, None, client.deadline()).await?;
        Ok((topic, route))
    }

    /// The master of the queue's broker, else its replica with the smallest id.
    fn address(&self, route: &Route) -> Result<Arc<str>, RequestError> {
        let brokers = &route.data.broker_datas;
        let broker = brokers.iter().find(|broker| broker.broker_name == self.queue.broker_name());
        match broker.and_then(|broker| broker.broker_addrs.values().next()) {
            Some(address) => Ok(address.as_str().into()),
            None => Err(RequestError::no_route(
                ErrorCode::QUEUE_GONE,
                format!("no broker {} holds topic {}", self.queue.broker_name(), self.queue.topic()),
            )),
        }
    }
}

impl From {
    const fn time(self) -> Option<i64> {
        match self {
            Self::Time(millis) => Some(millis),
            _ => None,
        }
    }
}

/// The place in the queue that a record tells, read without judging the rest.
fn offset_of(record: &[u8]) -> Option<i64> {
    let offset = record.get(QUEUE_OFFSET_AT..)?.first_chunk()?;
    Some(i64::from_be_bytes(*offset))
}

/// The group of RocketMQ's own tools (`MixAll.TOOLS_CONSUMER_GROUP`): every broker knows it.
const GROUP: &str = "TOOLS_CONSUMER";
/// Brokers give no more than 32 at once.
const BATCH: i32 = 32;
/// Java's consumers let a broker hold a pull for 15 to 20 s.
const LONGEST_HOLD: Duration = Duration::from_secs(15);
/// A decompressed body is no larger than this, whatever its record says.
const LARGEST_BODY: usize = 64 << 20;
/// Size, magic, checksum, queue id and flag come before the queue offset.
const QUEUE_OFFSET_AT: usize = 20;
