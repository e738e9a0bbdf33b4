//! What passes between client and vendor, and what never does.

use serde_json::json;

use super::support::config::{KEY, VENDOR_SECRET, VENDORS, config, vendor_secret};
use super::support::process::Gateway;
use super::support::scene::{Scene, client, reply};
use super::support::sse::Api;
use super::support::stub::Stub;

/// All that a vendor may see besides what it asks for itself.
const MAY_ARRIVE: [&str; 12] = [
    "accept",
    "accept-encoding",
    "anthropic-beta",
    "anthropic-version",
    "content-length",
    "content-type",
    "host",
    "openai-beta",
    "traceparent",
    "user-agent",
    "x-request-id",
    "x-stainless-lang",
];

#[tokio::test]
async fn the_vendor_sees_neither_the_virtual_key_nor_what_is_none_of_its_business() {
    let scene = Scene::start().await;
    for api in [Api::Chat, Api::Messages, Api::Gemini] {
        let request = scene
            .ask(api, api.model(), false)
            .header("x-bf-vk", KEY)
            .header("x-api-key", KEY)
            .header("api-key", KEY)
            .header("x-goog-api-key", KEY)
            .header("x-bf-anything", "canary-private")
            .header("x-tollgate-anything", "canary-private")
            .header("cookie", "session=canary-private")
            .header("x-forwarded-for", "198.51.100.7")
            .header("forwarded", "for=198.51.100.7")
            .header("x-unknown", "canary-private")
            .header("proxy-authorization", "Basic canary-private")
            .header("anthropic-beta", "a-beta")
            .header("openai-beta", "a-beta")
            .header("x-stainless-lang", "rust")
            .header("user-agent", "sdk/1");
        let reply = reply(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let entry = scene.entry();
        for (name, value) in &entry.headers {
            let is_credential =
                *value == vendor_secret(api.vendor()) || *value == format!("Bearer {}", vendor_secret(api.vendor()));
            assert!(is_credential || MAY_ARRIVE.contains(&name.as_str()), "{api:?}: {name}: {value}");
            assert!(!value.contains(KEY) && !value.contains("canary-private"), "{api:?}: {name}: {value}");
        }
        for (name, value) in [("user-agent", "sdk/1"), ("openai-beta", "a-beta"), ("anthropic-beta", "a-beta")] {
            assert_eq!(entry.header(name), Some(value));
        }
        assert_eq!(entry.header("accept-encoding"), Some("identity"));
        assert_eq!(entry.header("host"), Some(&*scene.fake.addr().to_string()));
    }
}

#[tokio::test]
async fn the_operators_own_headers_arrive() {
    let scene = Scene::with(|config| {
        config["providers"]["openai"]["network_config"]["extra_headers"] = json!({"OpenAI-Organization": "org-1"});
    })
    .await;
    let reply = reply(scene.ask(Api::Chat, "gpt-4o", false).header("openai-organization", "org-of-the-client")).await;
    assert_eq!(reply.status, 200);
    let entry = scene.entry();
    let sent: Vec<_> = entry.headers.iter().filter(|(name, _)| name == "openai-organization").collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, "org-1");
}

#[tokio::test]
async fn the_client_sees_neither_cookies_nor_an_echoed_credential_of_the_vendor() {
    for status in ["200 OK", "400 Bad Request", "500 Internal Server Error"] {
        let vendor = Stub::answering(move |request| {
            let credential = request.lines().find(|line| line.contains(VENDOR_SECRET)).unwrap_or_default();
            let body = r#"{"id":"x","object":"chat.completion","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nset-cookie: vendor=canary-cookie\r\n\
                 x-echo: {credential}\r\nwww-authenticate: Bearer {VENDOR_SECRET}\r\nopenai-organization: canary-org\r\n\
                 x-request-id: vendors-own\r\nserver: vendor\r\nx-ratelimit-limit-requests: 10\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
        })
        .await;
        let gateway = Gateway::start(&config(&vendor.url())).await;
        let url = gateway.url("/v1/chat/completions");
        let request = client().post(url).bearer_auth(KEY).body(Api::Chat.body("gpt-4o", false, "hi").to_string());
        let reply = reply(request).await;
        assert_eq!(reply.status.to_string(), status[..3]);
        assert!(vendor.requests()[0].contains(&vendor_secret("openai")));
        let shown = format!("{:?}{}", reply.headers, reply.text());
        for forbidden in
            [VENDOR_SECRET, "canary", "vendors-own", "set-cookie", "www-authenticate", "x-ratelimit", "\"server\""]
        {
            assert!(!shown.contains(forbidden), "{status}: {forbidden} in {shown}");
        }
        assert_ne!(reply.request_id(), "vendors-own");
    }
}

#[tokio::test]
async fn a_vendor_that_refuses_the_credential_is_not_quoted() {
    for (status, body) in [
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: SECRET","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        ),
        (403, r#"{"error":{"message":"Key SECRET may not do this","type":"permission_error"}}"#),
    ] {
        let vendor = Stub::answering(move |request| {
            let secret = VENDORS.iter().map(|vendor| vendor_secret(vendor)).find(|secret| request.contains(secret));
            let body = body.replace("SECRET", &secret.unwrap());
            format!(
                "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        })
        .await;
        let gateway = Gateway::start(&config(&vendor.url())).await;
        for api in [Api::Chat, Api::Messages, Api::Gemini] {
            let url = gateway.url(&api.path(api.model(), false));
            let request = client().post(url).bearer_auth(KEY).body(api.body(api.model(), false, "hi").to_string());
            let reply = reply(request).await;
            assert!(!reply.text().contains(VENDOR_SECRET), "{api:?} {status}: {}", reply.text());
            assert_eq!(reply.status, 502, "{api:?} {status}: the caller's key is not at fault: {}", reply.text());
        }
    }
}
