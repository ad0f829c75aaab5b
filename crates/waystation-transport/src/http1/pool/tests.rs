//! Who has a shard stops nobody. The threads here stand for workers of a runtime; which of them begins
//! where is left to chance, so nothing depends on it.

use std::thread;

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

use super::*;

/// A connection and its other end.
async fn connection() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (Socket::Plain(near.unwrap()), far.unwrap().0)
}

fn key() -> Key {
    let url = Uri::from_static("http://localhost:1/v1");
    Key::of(&url, PoolKey("mock".into())).unwrap()
}

/// A thread that waited here would wait for itself.
#[tokio::test]
async fn who_finds_its_shard_taken_goes_on_to_the_next() {
    let pool = Pool::default();
    let (socket, _far) = connection().await;
    let held = pool.shards[own()].open().unwrap();
    pool.give(key(), socket);
    assert_eq!(pool.len(), 1);
    pool.sweep();
    assert!(pool.take(&key()).is_some());
    assert!(pool.take(&key()).is_none());
    drop(held);
    assert_eq!(pool.len(), 0);
}

#[tokio::test]
async fn a_connection_that_no_shard_is_free_for_is_closed() {
    let pool = Pool::default();
    let (kept, _far) = connection().await;
    pool.give(key(), kept);
    let (socket, mut far) = connection().await;
    let held: Vec<_> = pool
        .shards
        .iter()
        .map(|shard| shard.open().unwrap())
        .collect();
    pool.give(key(), socket);
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "its end");
    pool.sweep();
    assert!(pool.take(&key()).is_none());
    assert_eq!(pool.len(), 1);
    drop(held);
    assert!(pool.take(&key()).is_some());
}

/// More threads than shards, one after the other: each begins somewhere else, and finds all of them.
#[test]
fn what_one_thread_gave_back_another_finds() {
    let runtime = runtime();
    let pool = Pool::default();
    let count = SHARDS + 3;
    let on_a_thread = |work: &(dyn Fn() + Sync)| {
        thread::scope(|threads| {
            let worker = threads.spawn(|| {
                let _entered = runtime.enter();
                work();
            });
            worker.join().unwrap();
        });
    };
    let (sockets, _far): (Vec<_>, Vec<_>) =
        (0..count).map(|_| runtime.block_on(connection())).unzip();
    let sockets = Mutex::new(sockets);
    for _ in 0..count {
        on_a_thread(&|| pool.give(key(), sockets.try_lock().unwrap().pop().unwrap()));
    }
    assert_eq!(pool.len(), count);
    // Not on another runtime.
    let other = Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async { assert!(pool.take(&key()).is_none()) });
    for _ in 0..count {
        on_a_thread(&|| assert!(pool.take(&key()).is_some()));
    }
    assert_eq!(pool.len(), 0);
}

#[test]
fn a_thread_gets_back_what_it_gave_last() {
    let runtime = runtime();
    runtime.block_on(async {
        let pool = Pool::default();
        let mut far = Vec::new();
        let mut ports = Vec::new();
        for _ in 0..3 {
            let (socket, other) = connection().await;
            ports.push(other.peer_addr().unwrap().port());
            far.push(other);
            pool.give(key(), socket);
        }
        while let Some(Socket::Plain(tcp)) = pool.take(&key()) {
            assert_eq!(Some(tcp.local_addr().unwrap().port()), ports.pop());
        }
        assert!(ports.is_empty());
    });
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
