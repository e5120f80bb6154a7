//! Reads one queue from a chosen place, without a consumer group.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use maxq_policy::Time;
use maxq_protocol::{
    DecodeError, ResponseCode, Topic,
    header::{GetMaxOffset, GetMinOffset, PullMessage, PullReply, SearchOffset},
    message::{PullSysFlag, StoredMessage},
};

use crate::{
    Client, ErrorCode, MessageQueue, MessageView, RequestError, client::Shared, remoting::Call, route::Wish,
};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// The oldest message.
    Start,
    /// Behind the newest message: only what comes from now on.
    End,
    /// This offset.
    Offset(u64),
    /// The first message stored at or after this time, in milliseconds since 1970.
    Time(i64),
}

/// Reads the messages of one queue in order. It commits nothing and disturbs no consumer.
///
/// ```no_run
/// # async fn run(client: maxq::Client, queue: maxq::MessageQueue) -> Result<(), Box<dyn std::error::Error>> {
/// use maxq::From;
///
/// let mut reader = client.reader(&queue, From::Start);
/// while let Some(message) = reader.next().await? {
///     println!("{}: {:?}", message.queue_offset(), message.body());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Reader {
    client: Client,
    queue: MessageQueue,
    from: From,
    /// The next offset to pull; known after the first question.
    next: Option<i64>,
    fetched: VecDeque<MessageView>,
    batch: i32,
}

impl Reader {
    pub(crate) fn new(client: Client, queue: MessageQueue, from: From) -> Self {
        Self { client, queue, from, next: None, fetched: VecDeque::new(), batch: BATCH }
    }

    /// The next message, or `None` at the present end of the queue; asking again goes on from there.
    ///
    /// # Errors
    /// No route, no broker, or the broker refuses; asking again tries again at the same place.
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
            if let Some(message) = self.fetched.pop_front() {
                return Ok(Some(message));
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
    }

    /// Pulls once. True at the end of the queue, when the time for waiting is over.
    async fn pull(&mut self, until: Time) -> Result<bool, RequestError> {
        let client = self.client.shared().clone();
        let address = self.address(&client).await?;
        let offset = match self.next {
            Some(offset) => offset,
            None => self.first_offset(&client, &address).await?,
        };
        self.next = Some(offset);
        let hold = until.since(client.clock.now()).min(LONGEST_HOLD);
        let suspend = if hold.is_zero() { 0 } else { PullSysFlag::SUSPEND.0 };
        let request = PullMessage {
            consumer_group: GROUP.to_owned(),
            topic: self.queue.topic().to_owned(),
            queue_id: self.queue.queue_id(),
            queue_offset: offset,
            max_messages: self.batch,
            sys_flag: PullSysFlag::SUBSCRIPTION.0 | suspend,
            commit_offset: Some(0),
            suspend_timeout_millis: Some(i64::try_from(hold.as_millis()).unwrap_or(0)),
            subscription: Some("*".to_owned()),
            subscription_version: Some(0),
            expression_type: Some("TAG".to_owned()),
            broker_name: Some(self.queue.broker_name().to_owned()),
        };
        let call = Call::new(&request, client.deadline() + hold);
        let answer = client
            .remoting
            .call(&address, call)
            .await
            .map_err(|error| RequestError::call(&client, &address, &error))?;
        let code = answer.response_code();
        let known = [
            ResponseCode::SUCCESS,
            ResponseCode::PULL_NOT_FOUND,
            ResponseCode::PULL_RETRY_IMMEDIATELY,
            ResponseCode::PULL_OFFSET_MOVED,
        ];
        if !known.contains(&code) {
            return Err(RequestError::refused(&address, &answer));
        }
        let reply: PullReply = answer.header().map_err(|error| RequestError::answer(&address, &error))?;
        if code == ResponseCode::SUCCESS
            && let Err(error) = self.take_records(answer.body, offset)
        {
            // What came before the damaged record is given out first; then it is met again, as the first one.
            let Some(last) = self.fetched.back() else {
                return Err(RequestError::answer(&address, &error));
            };
            self.next = Some(last.queue_offset().cast_signed() + 1);
            return Ok(false);
        }
        // The broker's word counts on 20 and 21 too; but an answer that leads nowhere must not become a busy loop.
        let moved = reply.next_begin_offset != offset;
        self.next = Some(reply.next_begin_offset);
        let waited = client.clock.now() >= until;
        Ok(match code {
            ResponseCode::PULL_NOT_FOUND => waited,
            _ => !moved && self.fetched.is_empty(),
        })
    }

    fn take_records(&mut self, mut body: Bytes, offset: i64) -> Result<(), DecodeError> {
        while let Some(record) = StoredMessage::decode(&mut body)? {
            if record.queue_offset >= offset {
                self.fetched.push_back(MessageView::new(record, self.queue.broker_name(), LARGEST_BODY)?);
            }
        }
        Ok(())
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

    /// The master of the queue's broker, else its replica with the smallest id.
    async fn address(&self, client: &Shared) -> Result<Arc<str>, RequestError> {
        let topic =
            Topic::internal(self.queue.topic()).map_err(|error| RequestError::invalid(error.to_string()))?;
        let route = client.routes.need(&topic, Wish::Own, None, client.deadline()).await?;
        let brokers = &route.data.broker_datas;
        let broker = brokers.iter().find(|broker| broker.broker_name == self.queue.broker_name());
        match broker.and_then(|broker| broker.broker_addrs.values().next()) {
            Some(address) => Ok(address.as_str().into()),
            None => Err(RequestError::no_route(
                ErrorCode::QUEUE_GONE,
                format!("no broker {} holds topic {topic}", self.queue.broker_name()),
            )),
        }
    }
}

/// The group of RocketMQ's own tools (`MixAll.TOOLS_CONSUMER_GROUP`): every broker knows it.
const GROUP: &str = "TOOLS_CONSUMER";
/// Brokers give no more than 32 at once.
const BATCH: i32 = 32;
/// Java's consumers let a broker hold a pull for 15 to 20 s.
const LONGEST_HOLD: Duration = Duration::from_secs(15);
/// A decompressed body is no larger than this, whatever its record says.
const LARGEST_BODY: usize = 64 << 20;
