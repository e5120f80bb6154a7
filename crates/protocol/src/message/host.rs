//! Host and port as ids and records hold them: 4 or 16 address bytes, then the port as 32 bits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Buf;

use crate::{DecodeError, DecodeErrorKind as Kind};

/// Bytes that a host takes.
pub(super) const fn encoded_len(host: SocketAddr) -> usize {
    if host.is_ipv6() { V6_LENGTH } else { V4_LENGTH }
}

pub(super) fn encode(host: SocketAddr, out: &mut Vec<u8>) {
    match host.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}

/// Takes a host off the front.
pub(super) fn decode(
    from: &mut impl Buf,
    is_v6: bool,
    context: &'static str,
) -> Result<SocketAddr, DecodeError> {
    if from.remaining() < if is_v6 { V6_LENGTH } else { V4_LENGTH } {
        return Err(DecodeError::new(Kind::Truncated, context));
    }
    let ip = if is_v6 {
        IpAddr::V6(Ipv6Addr::from_bits(from.get_u128()))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(from.get_u32()))
    };
    let port = from.get_u32();
    let port = u16::try_from(port)
        .map_err(|_| DecodeError::new(Kind::Malformed(format!("port {port}")), context))?;
    Ok(SocketAddr::new(ip, port))
}

const V4_LENGTH: usize = 4 + 4;
const V6_LENGTH: usize = 16 + 4;
