//! TLS in front: HTTP/2 and HTTP/1.1 by ALPN, and HTTP/2 in general.

use reqwest::{ClientBuilder, Version};
use serde_json::json;

use super::bodies::{SIZES, body_of};
use super::support::config::{KEY, config, fake};
use super::support::process::{Gateway, Home};
use super::support::scene::{Scene, builder, h2_client, reply};
use super::support::sha256;
use super::support::sse::{Api, reason};

/// A gateway with a certificate of its own, and how to make clients that trust it.
struct Secure {
    scene: Scene,
    certificate: String,
}

impl Secure {
    async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let fake = fake();
        let mut config = config(&fake.url());
        let home = Home::new(&config);
        let (cert, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        config["tls"] = json!({"cert": cert, "key": key});
        home.write(&config.to_string());
        let gateway = Gateway::start_in(home, &[]).await;
        let certificate = made.cert.pem();
        let client = trusting(&certificate).build().unwrap();
        Self { scene: Scene { fake, gateway, client }, certificate }
    }
}

fn trusting(certificate: &str) -> ClientBuilder {
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    builder().tls_certs_only([certificate])
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let secure = Secure::start().await;
    let h1 = trusting(&secure.certificate).http1_only().build().unwrap();
    let scene = &secure.scene;
    for (client, version) in [(&scene.client, Version::HTTP_2), (&h1, Version::HTTP_11)] {
        for api in Api::ALL {
            for stream in [false, true] {
                let url = scene.gateway.url(&api.path(api.model(), stream));
                let body = api.body(api.model(), stream, "hi").to_string();
                let response = client.post(url).bearer_auth(KEY).body(body).send().await.unwrap();
                assert_eq!((response.status().as_u16(), response.version()), (200, version), "{api:?}");
                let text = response.text().await.unwrap();
                assert!(text.contains("w7"), "{api:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn bodies_of_any_size_arrive_whole_over_tls() {
    let secure = Secure::start().await;
    let h1 = trusting(&secure.certificate).http1_only().build().unwrap();
    for size in SIZES {
        let body = body_of(size);
        for client in [&secure.scene.client, &h1] {
            let url = secure.scene.gateway.url("/v1/chat/completions");
            let answer = reply(client.post(url).bearer_auth(KEY).body(body.clone())).await;
            assert_eq!(answer.status, 200, "{size}: {}", answer.text());
            assert_eq!(secure.scene.entry().body_sha256, sha256(&body), "{size}");
        }
    }
}

#[tokio::test]
async fn plain_text_on_the_tls_port_is_not_served() {
    let secure = Secure::start().await;
    let mut wire = secure.scene.wire().await;
    wire.send(super::support::wire::post("/v1/chat/completions", "{}")).await;
    let seen = wire.rest().await;
    assert!(!seen.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&seen));
    assert_eq!(secure.scene.asked(Api::Chat, "gpt-4o", false).await.status, 200);
}

#[tokio::test]
async fn many_streams_share_one_http2_connection() {
    let mut scene = Scene::start().await;
    scene.client = h2_client();
    let calls = (0..60).map(|n| {
        let (scene, api) = (&scene, Api::ALL[n % 6]);
        async move {
            let words = 1 + n % 9;
            let model = format!("{}~words={words}~delay_ms=2", api.model());
            let answer = scene.asked(api, &model, n % 2 == 0).await;
            let text = answer.text();
            assert_eq!(answer.status, 200, "{api:?}: {text}");
            assert!(text.contains(&format!("w{}", words - 1)) && !text.contains(&format!("w{words}")), "{text}");
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!(scene.fake.books().len(), 60);
}

#[tokio::test]
async fn refusals_over_http2_leave_the_connection_in_step() {
    let mut scene = Scene::with(|config| config["client"]["max_request_body_size_mb"] = json!(1)).await;
    scene.client = h2_client();
    for _ in 0..3 {
        let large = reply(scene.post("/v1/chat/completions").body(body_of(3_000_000))).await;
        assert_eq!((large.status, reason(&large.json())), (413, Some("invalid_request_error")));
        let unknown = reply(scene.post("/nothing").body(body_of(100_000))).await;
        assert_eq!(unknown.status, 404);
        let broken = reply(scene.post("/v1/messages").body("{")).await;
        assert_eq!((broken.status, &broken.json()["type"]), (400, &json!("error")));
        assert_eq!(scene.asked(Api::Chat, "gpt-4o", true).await.status, 200);
    }
    scene.until_metric("tollgate_held_body_bytes ", 0).await;
}

#[tokio::test]
async fn hop_by_hop_headers_do_not_cross_into_http2() {
    let mut scene = Scene::start().await;
    scene.client = h2_client();
    scene.let_fake("~close");
    for stream in [false, true] {
        let answer = scene.asked(Api::Chat, "gpt-4o", stream).await;
        assert_eq!(answer.status, 200);
        for name in ["connection", "transfer-encoding", "keep-alive"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
}
