//! Released Apache RocketMQ: the jars of one version, and clusters started from them.

mod class_path;
mod cluster;
mod layout;
mod questions;

pub(crate) use class_path::{Apache, Jvm, class_path, java_version};
pub(crate) use cluster::{ApacheCluster, Broker, CLUSTER, Part};
pub(crate) use layout::{Layout, Oddity, Replication, USER};
pub(crate) use questions::ask_for;
