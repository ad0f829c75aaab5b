//! `Http1Transport` over TLS, against a server on loopback whose certificate is in `tls/` (made with
//! openssl for this test, trusted by nobody else, good for a hundred years).

#![expect(
    clippy::unwrap_used,
    reason = "what fails in a test's own server fails the test"
)]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use waystation_core::{HttpRequest, Phase, PoolKey, SendLimits, Sent, Transport as _};
use waystation_transport::Http1Transport;

const CERTIFICATE: &[u8] = include_bytes!("tls/cert.pem");
const KEY: &[u8] = include_bytes!("tls/key.pem");
/// Longer than anything here takes, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(CERTIFICATE).unwrap()
}

fn client(trusting: bool) -> Http1Transport {
    let mut roots = RootCertStore::empty();
    if trusting {
        roots.add(certificate()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Http1Transport::with_tls(config)
}

/// A server that answers the requests of its only connection, in two pieces each. It speaks HTTP/2 too,
/// by its own account.
async fn server(tasks: &mut JoinSet<()>) -> SocketAddr {
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust it goes away.
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        let mut piece = [0; 4096];
        while stream.read(&mut piece).await.is_ok_and(|count| count > 0) {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n";
            stream.write_all(head).await.unwrap();
            stream.flush().await.unwrap();
            stream.write_all(b"3\r\nllo\r\n0\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    address
}

fn request(host: &str, address: SocketAddr) -> (HttpRequest, SendLimits) {
    let url = format!("https://{host}:{}/v1/chat/completions", address.port());
    let limits = SendLimits {
        connect: LONG,
        head: None,
        pool: PoolKey("mock".into()),
    };
    (HttpRequest::post_json(&url, "{}".into()).unwrap(), limits)
}

#[tokio::test]
async fn requests_go_one_after_the_other_over_one_connection() {
    let mut tasks = JoinSet::new();
    let (address, by) = (server(&mut tasks).await, client(true));
    for _ in 0..3 {
        let (request, limits) = request("localhost", address);
        let reply = timeout(LONG, by.send(request, limits))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(reply.head.status, 200);
        let pieces: Vec<_> = timeout(LONG, reply.body.collect()).await.unwrap();
        let pieces: Vec<_> = pieces.into_iter().map(Result::unwrap).collect();
        assert_eq!(pieces.concat(), b"hello");
        assert_eq!(by.idle(), 1);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_name_sends_nothing() {
    for (trusting, host) in [(false, "localhost"), (true, "127.0.0.1")] {
        let mut tasks = JoinSet::new();
        let (address, by) = (server(&mut tasks).await, client(trusting));
        let (request, limits) = request(host, address);
        let sent = timeout(LONG, by.send(request, limits)).await.unwrap();
        let error = sent.err().unwrap();
        assert_eq!(
            (error.phase, error.sent),
            (Phase::Tls, Sent::Nothing),
            "{error}"
        );
    }
}
