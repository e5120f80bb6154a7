//! What a message is made of on the wire: properties, flags, ids, the batch body, the stored record.

pub mod batch;
mod crc;
mod flags;
mod host;
mod id;
mod properties;
pub mod property;
mod sent;
mod stored;

pub use crc::body_crc;
pub use flags::{PullSysFlag, SysFlag};
pub use id::{OffsetMessageId, UniqueId, UniqueIdText};
pub use properties::{Properties, PropertyError};
pub use sent::SentProperties;
pub use stored::StoredMessage;
