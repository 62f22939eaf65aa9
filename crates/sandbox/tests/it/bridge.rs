//! The ports inside that lead to sockets of the host.

use crate::{Place, finish, here, run};
use sandbox::{Forward, Sandbox, limits::CONNECTIONS_MAX};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// Answers every connection on a socket of the host.
fn serve<F>(place: &Place, name: &str, answer: impl Fn(UnixStream) -> F + Send + 'static) -> std::path::PathBuf
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let path = place.path(name);
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    path
}

async fn echo(mut stream: UnixStream) -> std::io::Result<()> {
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_carried_with_their_ends() {
    if !here() {
        return;
    }
    let place = Place::new();
    let whole = serve(&place, "whole.sock", |mut stream| async move {
        // Answers only after the other side said that it is done.
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        stream.write_all(format!("{} bytes", text.len()).as_bytes()).await
    });
    let echo = serve(&place, "echo.sock", echo);
    let script = "import socket,threading\n\
         s=socket.create_connection(('127.0.0.1',8080)); s.sendall(b'x'*300000); s.shutdown(socket.SHUT_WR); print(s.recv(99).decode())\n\
         big=bytes(range(256))*40000\n\
         s=socket.create_connection(('127.0.0.1',8081))\n\
         t=threading.Thread(target=lambda:(s.sendall(big),s.shutdown(socket.SHUT_WR))); t.start()\n\
         got=b''\n\
         while True:\n\
         \x20 d=s.recv(1<<16)\n\
         \x20 if not d: break\n\
         \x20 got+=d\n\
         print(got==big)";
    let mut spec = place.python(script);
    spec.forwards = vec![Forward { port: 8080, socket: whole }, Forward { port: 8081, socket: echo }];
    let got = run(spec).await;
    assert_eq!(got.out, "300000 bytes\nTrue\n", "{got:?}");
    assert_eq!(got.violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_are_carried_wait_for_their_turn() {
    if !here() {
        return;
    }
    let place = Place::new();
    let socket = serve(&place, "echo.sock", echo);
    let more = CONNECTIONS_MAX + 40;
    let script = format!(
        "import socket\n\
         all=[socket.create_connection(('127.0.0.1',8080)) for _ in range({more})]\n\
         for s in all[:{CONNECTIONS_MAX}]: s.sendall(b'a'); assert s.recv(1)==b'a'\n\
         last=all[-1]; last.settimeout(0.2); last.sendall(b'z')\n\
         try: last.recv(1); print('carried')\n\
         except TimeoutError: print('waits')\n\
         for s in all[:100]: s.close()\n\
         last.settimeout(10); print(last.recv(1))"
    );
    let mut spec = place.python(&script);
    spec.forwards = vec![Forward { port: 8080, socket }];
    let got = run(spec).await;
    assert_eq!(got.out, "waits\nb'z'\n", "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_went_away_is_seen_as_a_closed_connection() {
    if !here() {
        return;
    }
    let place = Place::new();
    let path = place.path("gone.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let script = "import socket\ns=socket.create_connection(('127.0.0.1',8080)); s.settimeout(10)\n\
         try: print(s.recv(1))\n\
         except ConnectionError: print(b'')";
    let mut spec = place.python(script);
    spec.forwards = vec![Forward { port: 8080, socket: path }];
    assert_eq!(run(spec).await.out, "b''\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_carries_while_the_sandbox_has_no_process_to_spare_and_does_not_spin() {
    if !here() {
        return;
    }
    let place = Place::new();
    let socket = serve(&place, "echo.sock", echo);
    let script = "import socket,os,time\n\
         idle=socket.create_connection(('127.0.0.1',8080))\n\
         half=socket.create_connection(('127.0.0.1',8080)); half.shutdown(socket.SHUT_WR)\n\
         try:\n\
         \x20 while True:\n\
         \x20  if os.fork()==0: time.sleep(1000)\n\
         except OSError: pass\n\
         s=socket.create_connection(('127.0.0.1',8080)); s.sendall(b'ok'); print(s.recv(2))\n\
         a=open('/proc/1/stat').read().rsplit(')')[1].split()[11:13]; time.sleep(1)\n\
         b=open('/proc/1/stat').read().rsplit(')')[1].split()[11:13]; print(sum(map(int,b))-sum(map(int,a))<10)\n\
         os.kill(-1,9)";
    let mut spec = place.python(script);
    spec.forwards = vec![Forward { port: 8080, socket }];
    spec.processes_max = 20;
    let sandbox = Sandbox::spawn(spec).await.unwrap();
    let got = finish(&sandbox).await;
    assert_eq!(got.out, "b'ok'\nTrue\n", "{got:?}");
    assert!(got.told("Processes: the limit of 20"), "{got:?}");
}
