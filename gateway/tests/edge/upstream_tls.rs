//! Providers over TLS: the name is always sent and always checked, and sessions are resumed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::support::config::{KEY, config, fake};
use super::support::process::{Gateway, Home};
use super::support::scene::{Reply, client, reply};
use super::support::sse::Api;

/// What a handshake showed.
#[derive(Clone, Debug)]
struct Handshake {
    server_name: Option<String>,
    is_resumed: bool,
}

/// A TLS server in front of a plain one.
pub(super) struct Front {
    address: SocketAddr,
    pub(super) ca_pem: String,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
}

impl Front {
    /// With a certificate for this name, signed by an authority of its own.
    pub(super) async fn start(name: &str, behind: SocketAddr) -> Self {
        let (ca_pem, config) = certified(name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handshakes = Arc::new(Mutex::new(Vec::new()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(serve(listener, acceptor, behind, Arc::clone(&handshakes)));
        Self { address, ca_pem, handshakes }
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().unwrap().clone()
    }
}

fn certified(name: &str) -> (String, ServerConfig) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    (ca_certificate.pem(), config)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr, seen: Arc<Mutex<Vec<Handshake>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let connection = tls.get_ref().1;
            let handshake = Handshake {
                server_name: connection.server_name().map(str::to_owned),
                is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            };
            seen.lock().unwrap().push(handshake);
            let mut plain = TcpStream::connect(behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
        });
    }
}

fn configured(front: &Front, network: Value) -> Value {
    let mut config = config("http://127.0.0.1:9");
    config["providers"]["openai"]["network_config"] = network;
    config["providers"]["openai"]["network_config"]["base_url"] = json!(front.url());
    config
}

async fn ask(gateway: &Gateway, model: &str) -> Reply {
    let request = client().post(gateway.url(&Api::Chat.path(model, false))).bearer_auth(KEY);
    reply(request.body(Api::Chat.body(model, false, "hello").to_string())).await
}

#[tokio::test]
async fn a_provider_is_reached_by_name_with_its_own_authority() {
    let fake = fake();
    let front = Front::start("localhost", fake.addr()).await;
    let gateway = Gateway::start(&configured(&front, json!({"ca_cert_pem": front.ca_pem}))).await;
    assert_eq!(ask(&gateway, "gpt-4o").await.status, 200);
    assert_eq!(front.handshakes()[0].server_name.as_deref(), Some("localhost"));
}

#[tokio::test]
async fn a_certificate_of_nobody_known_or_of_another_name_is_refused() {
    let fake = fake();
    let unknown = Front::start("localhost", fake.addr()).await;
    let misnamed = Front::start("example.org", fake.addr()).await;
    for (front, network) in [(&unknown, json!({})), (&misnamed, json!({"ca_cert_pem": misnamed.ca_pem}))] {
        let gateway = Gateway::start(&configured(front, network)).await;
        let reply = ask(&gateway, "gpt-4o").await;
        assert_eq!((reply.status, &reply.json()["type"]), (502, &json!("upstream_unreachable")), "{}", reply.text());
    }
    assert!(fake.books().is_empty());
}

#[tokio::test]
async fn verification_is_off_only_where_the_configuration_says_so() {
    let fake = fake();
    let front = Front::start("example.org", fake.addr()).await;
    let gateway = Gateway::start(&configured(&front, json!({"insecure_skip_verify": true}))).await;
    assert_eq!(ask(&gateway, "gpt-4o").await.status, 200);
}

#[tokio::test]
async fn a_second_connection_resumes_the_session_of_the_first() {
    let fake = fake();
    let front = Front::start("localhost", fake.addr()).await;
    let home = Home::new(&configured(&front, json!({})));
    let ca = home.path().join("ca.pem");
    std::fs::write(&ca, &front.ca_pem).unwrap();
    let gateway = Gateway::start_in(home, &[("SSL_CERT_FILE", ca.to_str().unwrap())]).await;
    for _ in 0..2 {
        let reply = ask(&gateway, "gpt-4o~close").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let resumed: Vec<_> = front.handshakes().iter().map(|handshake| handshake.is_resumed).collect();
    assert_eq!(resumed, [false, true]);
}
