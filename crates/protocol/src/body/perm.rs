//! The permission bits of a queue (Apache's `PermName`).

/// Priority; unused.
pub const PRIORITY: i32 = 8;
/// Messages can be read.
pub const READ: i32 = 4;
/// Messages can be written.
pub const WRITE: i32 = 2;
/// An automatically created topic takes the settings of this one.
pub const INHERIT: i32 = 1;

/// Whether messages can be read.
pub const fn is_readable(perm: i32) -> bool {
    perm & READ != 0
}

/// Whether messages can be written.
pub const fn is_writable(perm: i32) -> bool {
    perm & WRITE != 0
}

/// Whether an automatically created topic may take its settings.
pub const fn is_inherited(perm: i32) -> bool {
    perm & INHERIT != 0
}
