//! What a program proves to Redis who it is by.

use std::{fmt, time::Duration};

/// The user name and the password of a Redis user, and for how long they last: what the provider gives that
/// [`Builder::credentials`](crate::Builder::credentials) names.
///
/// ```
/// use std::time::Duration;
/// use dlock_runtime::Credentials;
///
/// let token = "a token of the cloud".to_owned();
/// let credentials = Credentials::new("shop", token).valid_for(Duration::from_secs(3600));
/// assert!(!format!("{credentials:?}").contains("token"));
/// ```
#[derive(Clone)]
pub struct Credentials {
    user: Box<str>,
    password: Box<str>,
    lifetime: Option<Duration>,
}

impl Credentials {
    /// The credentials of `user`. An empty name is for servers that know a password only (`requirepass`).
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        let (user, password) = (user.into().into(), password.into().into());
        Self { user, password, lifetime: None }
    }

    /// For how long, from now on, the server keeps a connection that was made with them. When three quarters of it are over,
    /// the provider is asked again. The default is for ever.
    #[must_use]
    pub fn valid_for(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The name, unless there is none.
    pub(crate) fn user(&self) -> Option<&str> {
        (!self.user.is_empty()).then_some(&*self.user)
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the password nor its length.
        let mut out = f.debug_struct("Credentials");
        out.field("user", &self.user).field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_printed() {
        let credentials = Credentials::new("shop", "open-sesame").valid_for(Duration::from_secs(9));
        let printed = format!("{credentials:?} {credentials:#?}");
        assert!(printed.contains("shop") && printed.contains("9s") && !printed.contains("sesame"), "{printed}");
        assert_eq!(Credentials::new("", "x").user(), None);
    }
}
