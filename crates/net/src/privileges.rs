//! Becoming another user for good, once everything that needs root is bound and read.
//!
//! ```text
//!  resolve (names ─► numbers) ─► … bind, read keys … ─► take_on: groups ─► gid ─► uid ─► capabilities ─► look again
//! ```
//!
//! The kernel keeps credentials a thread; the C library's calls change them for all threads of the process, and
//! are used for that. Call it before there are other threads all the same: capabilities are a thread's alone.

use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Who to become.
///
/// ```
/// use thalweg_net::privileges::Target;
///
/// let target = Target::resolve(Some("root"), None)?;
/// assert_eq!((target.uid, target.gid), (0, 0));
/// assert!(Target::resolve(Some("no such user"), None).is_err());
/// # Ok::<(), thalweg_net::privileges::PrivilegeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The supplementary groups: those of the user, or none but `gid` where a group was named.
    pub groups: Vec<u32>,
}

/// Why the process cannot become another user. After an error it must not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user {0:?} on this machine")]
    NoUser(String),
    /// There is no such group.
    #[error("there is no group {0:?} on this machine")]
    NoGroup(String),
    /// A user given by number has no entry, and no group was named.
    #[error("user {0} has no entry in the user database: name a group as well")]
    NoEntry(u32),
    /// The databases cannot be read.
    #[error("cannot look up {name:?}: {why}")]
    Lookup {
        /// What was looked up.
        name: String,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// Only root may become another user.
    #[error("only root may change to user {uid}, group {gid} (this process runs as user {own})")]
    NotRoot {
        /// The user to become.
        uid: u32,
        /// The group to become.
        gid: u32,
        /// Who the process is.
        own: u32,
    },
    /// A step failed.
    #[error("cannot {step}: {why}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// The kernel agreed to all, and yet something is left.
    #[error("privileges are left after dropping them: {0}")]
    Left(&'static str),
}

impl Target {
    /// Looks names up; a name of digits that no entry has is taken as a number. Without a user, the process' own
    /// is kept; without a group, the user's own groups are taken.
    ///
    /// # Errors
    /// When a name is unknown, or the databases cannot be read.
    pub fn resolve(user: Option<&str>, group: Option<&str>) -> Result<Self, PrivilegeError> {
        let own = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let entry = match user {
            Some(name) => look_up_user(name)?,
            None => User {
                uid: own.0,
                gid: Some(own.1),
                name: None,
            },
        };
        let gid = match group {
            Some(name) => look_up_group(name)?,
            None => entry.gid.ok_or(PrivilegeError::NoEntry(entry.uid))?,
        };
        let groups = match (&entry.name, group) {
            (Some(name), None) => groups_of(name, gid)?,
            _ => vec![gid],
        };
        Ok(Self {
            uid: entry.uid,
            gid,
            groups,
        })
    }

    /// Becomes it, for good: supplementary groups, group, user; then drops every capability, and looks whether
    /// anything is left. A process that is this user already only drops capabilities.
    ///
    /// # Errors
    /// [`PrivilegeError`]; the process may have changed in part, and must not go on.
    pub fn take_on(&self) -> Result<(), PrivilegeError> {
        let own = rustix::process::geteuid().as_raw();
        if own == 0 {
            self.become_it()?;
        } else if own != self.uid || rustix::process::getegid().as_raw() != self.gid {
            return Err(PrivilegeError::NotRoot {
                uid: self.uid,
                gid: self.gid,
                own,
            });
        }
        if self.uid != 0 {
            drop_capabilities()?;
            self.look_again()?;
        }
        Ok(())
    }

    fn become_it(&self) -> Result<(), PrivilegeError> {
        // SAFETY: the pointer and the length are those of one vector; the call only reads it.
        let set = unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) };
        check(set, "set the supplementary groups")?;
        // SAFETY: it takes numbers and touches no memory.
        let set = unsafe { libc::setresgid(self.gid, self.gid, self.gid) };
        check(set, "change the group")?;
        // SAFETY: as above.
        let set = unsafe { libc::setresuid(self.uid, self.uid, self.uid) };
        check(set, "change the user")
    }

    /// Trusts nothing: reads back what the kernel holds, and tries to become root.
    fn look_again(&self) -> Result<(), PrivilegeError> {
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        // SAFETY: three valid pointers to numbers.
        let answer = unsafe { libc::getresuid(&mut real, &mut effective, &mut saved) };
        check(answer, "read the user back")?;
        if [real, effective, saved] != [self.uid; 3] {
            return Err(PrivilegeError::Left("the user is another"));
        }
        // SAFETY: as above.
        let answer = unsafe { libc::getresgid(&mut real, &mut effective, &mut saved) };
        check(answer, "read the group back")?;
        if [real, effective, saved] != [self.gid; 3] {
            return Err(PrivilegeError::Left("the group is another"));
        }
        // SAFETY: it takes a number and touches no memory. It must fail.
        if unsafe { libc::setuid(0) } == 0 {
            return Err(PrivilegeError::Left("the process can still become root"));
        }
        let left =
            rustix::thread::capabilities(None).map_err(|why| step("read the capabilities", why))?;
        if !(left.effective | left.permitted | left.inheritable).is_empty() {
            return Err(PrivilegeError::Left("capabilities"));
        }
        Ok(())
    }
}

fn drop_capabilities() -> Result<(), PrivilegeError> {
    rustix::thread::clear_ambient_capability_set()
        .map_err(|why| step("clear the ambient capabilities", why))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(|why| step("drop the capabilities", why))
}

fn check(answer: libc::c_int, what: &'static str) -> Result<(), PrivilegeError> {
    match answer {
        0 => Ok(()),
        _ => Err(PrivilegeError::Step {
            step: what,
            why: io::Error::last_os_error(),
        }),
    }
}

fn step(step: &'static str, why: rustix::io::Errno) -> PrivilegeError {
    PrivilegeError::Step {
        step,
        why: why.into(),
    }
}

struct User {
    uid: u32,
    gid: Option<u32>,
    name: Option<CString>,
}

fn look_up_user(name: &str) -> Result<User, PrivilegeError> {
    let unknown = || PrivilegeError::NoUser(name.to_owned());
    let c_name = CString::new(name).map_err(|_| unknown())?;
    let found = look_up(
        name,
        |entry: &mut MaybeUninit<libc::passwd>, room, found| {
            // SAFETY: all pointers are valid for the call, the room has the length that is given, and the strings
            // that the entry points to lie in it.
            unsafe {
                libc::getpwnam_r(
                    c_name.as_ptr(),
                    entry.as_mut_ptr(),
                    room.as_mut_ptr().cast(),
                    room.len(),
                    found,
                )
            }
        },
        |entry| {
            // SAFETY: a found entry's name is a string that ends in NUL, in the room that still lives.
            let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
            User {
                uid: entry.pw_uid,
                gid: Some(entry.pw_gid),
                name: Some(name),
            }
        },
    )?;
    match (found, name.parse()) {
        (Some(user), _) => Ok(user),
        (None, Ok(uid)) => Ok(User {
            uid,
            gid: None,
            name: None,
        }),
        (None, Err(_)) => Err(unknown()),
    }
}

fn look_up_group(name: &str) -> Result<u32, PrivilegeError> {
    let unknown = || PrivilegeError::NoGroup(name.to_owned());
    let c_name = CString::new(name).map_err(|_| unknown())?;
    let found = look_up(
        name,
        |entry: &mut MaybeUninit<libc::group>, room, found| {
            // SAFETY: as in look_up_user.
            unsafe {
                libc::getgrnam_r(
                    c_name.as_ptr(),
                    entry.as_mut_ptr(),
                    room.as_mut_ptr().cast(),
                    room.len(),
                    found,
                )
            }
        },
        |entry| entry.gr_gid,
    )?;
    match found {
        Some(gid) => Ok(gid),
        None => name.parse().map_err(|_| unknown()),
    }
}

/// Calls one of the `get…_r` functions with as much room as it needs.
fn look_up<T, R>(
    name: &str,
    call: impl Fn(&mut MaybeUninit<T>, &mut [u8], *mut *mut T) -> libc::c_int,
    read: impl Fn(&T) -> R,
) -> Result<Option<R>, PrivilegeError> {
    const MOST: usize = 1 << 20;
    let mut room = vec![0; 1 << 10];
    loop {
        let (mut entry, mut found) = (MaybeUninit::uninit(), ptr::null_mut());
        match call(&mut entry, &mut room, &mut found) {
            0 if found.is_null() => return Ok(None),
            // SAFETY: the call succeeded and says that the entry was filled.
            0 => return Ok(Some(read(unsafe { entry.assume_init_ref() }))),
            libc::ERANGE if room.len() < MOST => room = vec![0; room.len() * 4],
            // Some C libraries say "not found" so (getpwnam(3), "Errors").
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => {
                let why = io::Error::from_raw_os_error(error);
                return Err(PrivilegeError::Lookup {
                    name: name.to_owned(),
                    why,
                });
            }
        }
    }
}

/// The groups that a user is in, `gid` among them.
fn groups_of(name: &CStr, gid: u32) -> Result<Vec<u32>, PrivilegeError> {
    let mut groups = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the name ends in NUL; the array has as many elements as `count` says.
        let answer =
            unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count) };
        let count = usize::try_from(count).unwrap_or_default();
        if answer >= 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        if count <= groups.len() {
            let why = io::Error::other("the list of groups cannot be read");
            return Err(PrivilegeError::Lookup {
                name: name.to_string_lossy().into_owned(),
                why,
            });
        }
        groups.resize(count, 0);
    }
}
