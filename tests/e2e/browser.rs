//! A headless Chromium, driven by `WebDriver` (the W3C's protocol, JSON over HTTP) as Debian's chromium-driver speaks it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use crate::http::request;
use crate::until::until;

/// What names an element in the protocol's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long a page may take to show what is looked for.
const PATIENCE: Duration = Duration::from_mins(1);

/// One window of a browser of its own, closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// Starts a browser with an empty profile, which stays in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let missing = "the web interface is tested with Chromium: `apt-get install chromium chromium-driver`";
        let chromium = which::which("chromium").expect(missing);
        let mut driver = Command::new(which::which("chromedriver").expect(missing))
            .args(["--port=0", &format!("--log-path={}", folder.join("chromedriver.log").display())])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned()))
            .expect("chromedriver ended without a word");
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}/session") };
        let arguments = [
            "--headless=new",
            // Chromium's sandbox refuses to run as root and inside most containers.
            "--no-sandbox",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-quic",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1280,800",
            &format!("--user-data-dir={}", folder.join("chromium").display()),
        ];
        let options = json!({"binary": chromium, "args": arguments});
        let capabilities = json!({"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}});
        let session = browser.call("POST", "", Some(&json!({"capabilities": capabilities}))).unwrap();
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser
    }

    /// Goes to a page.
    pub(crate) fn open(&self, url: &str) {
        self.call("POST", "/url", Some(&json!({"url": url}))).unwrap();
    }

    /// Types into the first element that a CSS selector finds.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let wanted = json!({"using": "css selector", "value": selector});
        let element = until(selector, PATIENCE, || self.call("POST", "/element", Some(&wanted)));
        let element = element[ELEMENT].as_str().unwrap();
        self.call("POST", &format!("/element/{element}/value"), Some(&json!({"text": text}))).unwrap();
    }

    /// Clicks the first element that a CSS selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let wanted = json!({"using": "css selector", "value": selector});
        let element = until(selector, PATIENCE, || self.call("POST", "/element", Some(&wanted)));
        let element = element[ELEMENT].as_str().unwrap();
        self.call("POST", &format!("/element/{element}/click"), Some(&json!({}))).unwrap();
    }

    /// Waits until the address of the page has this in it, or no longer has it.
    pub(crate) fn await_address(&self, part: &str, there: bool) {
        until(&format!("{part} in the address: {there}"), PATIENCE, || {
            let address = self.call("GET", "/url", None)?.to_string();
            if address.contains(part) == there { Ok(()) } else { Err(format!("it is {address}")) }
        });
    }

    /// Waits until the page shows a text.
    pub(crate) fn await_text(&self, text: &str) {
        let script = json!({"script": "return document.body.innerText", "args": []});
        until(&format!("`{text}` on the page"), PATIENCE, || {
            let shown = self.call("POST", "/execute/sync", Some(&script))?;
            let shown = shown.as_str().unwrap_or_default();
            if shown.contains(text) { Ok(()) } else { Err(format!("it shows:\n{shown}")) }
        });
    }

    /// Keeps a picture of the window as PNG.
    pub(crate) fn screenshot(&self, path: &Path) {
        let picture = self.call("GET", "/screenshot", None).unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// One command of the protocol; its error as text.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let answer = request(method, &format!("{}{path}", self.session), None, body, PATIENCE)?;
        let mut answer_body = answer.json();
        match answer_body.get_mut("value") {
            Some(value) if answer.status == 200 => Ok(value.take()),
            _ => Err(answer_body["value"]["message"].as_str().unwrap_or(&answer.body).to_owned()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; a driver that is killed would leave it.
        let _ = self.call("DELETE", "", None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
