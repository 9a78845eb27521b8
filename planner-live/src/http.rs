//! HTTP to one address: GETs, bounded in time and size, without redirects and without proxies.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::Agent;

/// What one request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the whole answer is there.
    pub whole: Duration,
    /// Bytes of an answer's body.
    pub bytes: u64,
}

impl Default for Limits {
    /// 3 s, 10 s and 16 MiB.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), whole: Duration::from_secs(10), bytes: 16 << 20 }
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status, such as 200.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Why a server told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The address is not of the form `http://HOST:PORT`.
    Address,
    /// The address is `https`, which is not built in.
    Encrypted,
    /// No connection, or one that broke: the system's words.
    Silent(String),
    /// Nothing, or not all, within the time.
    TimedOut,
    /// The connection ended inside the answer.
    CutOff,
    /// The answer is larger than is read, in bytes.
    TooLarge(u64),
    /// The server sends elsewhere, to this address.
    Redirects(String),
    /// 401 or 403: a key is missing, or another is wanted.
    Key {
        /// Whether one was sent.
        sent: bool,
    },
    /// 503: the server is up and not ready.
    NotReady,
    /// An answer that no engine gives.
    NoEngine,
    /// TGI, for which there is no rule.
    Tgi(String),
    /// An engine's figures are not there, at this path.
    Missing(&'static str),
}

/// Whatever answers GETs.
pub trait Get {
    /// The answer at a path, which starts with `/`.
    ///
    /// # Errors
    /// No whole answer came, the server redirects, or it wants a key.
    fn get(&self, path: &str) -> Result<Answer, Failure>;
}

/// A client of one address.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    key: Option<String>,
    bytes: u64,
}

impl Client {
    /// Of an address such as `http://127.0.0.1:8000`; a path behind it goes before every path that is asked. `key` is
    /// sent as `Authorization: Bearer`.
    ///
    /// # Errors
    /// The address has another form.
    pub fn new(address: &str, key: Option<String>, limits: Limits) -> Result<Self, Failure> {
        let lower = address.to_ascii_lowercase();
        if lower.starts_with("https://") {
            return Err(Failure::Encrypted);
        }
        let host = lower.strip_prefix("http://").ok_or(Failure::Address)?;
        if host.is_empty() || host.starts_with('/') || host.contains(['?', '#', '@', ' ']) {
            return Err(Failure::Address);
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(limits.connect))
            .timeout_global(Some(limits.whole))
            .user_agent("kvplan")
            .build();
        // people paste the base of OpenAI's API
        let base = address.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        Ok(Self { agent: Agent::new_with_config(config), base, key, bytes: limits.bytes })
    }
}

impl Get for Client {
    fn get(&self, path: &str) -> Result<Answer, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.call().map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            return Err(Failure::Redirects(to.unwrap_or_default().chars().take(200).collect()));
        }
        if matches!(status, 401 | 403) {
            return Err(Failure::Key { sent: self.key.is_some() });
        }
        let body = response.body_mut().with_config().limit(self.bytes).read_to_vec();
        Ok(Answer { status, body: body.map_err(|error| self.failure(error))? })
    }
}

impl Client {
    fn failure(&self, error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Timeout(_) => Failure::TimedOut,
            ureq::Error::BodyExceedsLimit(_) => Failure::TooLarge(self.bytes),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Address,
            ureq::Error::Protocol(_) => Failure::NoEngine,
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                    Failure::CutOff
                }
                ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::TimedOut,
                _ => Failure::Silent(error.to_string()),
            },
            other => Failure::Silent(other.to_string()),
        }
    }
}
