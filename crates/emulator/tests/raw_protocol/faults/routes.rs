//! Routes that are told in another way, and name servers that do not tell any.

use maxq_emulator::{Effect, Fault, On, RouteVariant};
use maxq_protocol::{
    RemotingCommand,
    body::{TopicRouteData, from_json},
    header::GetRouteInfo,
};

use super::Scene;
use crate::support::{RawClient, verdict};

async fn ask(scene: &Scene) -> RemotingCommand {
    let mut client = RawClient::dial(&scene.network, scene.cluster.name_server()).await;
    let request = GetRouteInfo { topic: "T".into(), accept_standard_json_only: Some(true) };
    client.call(RemotingCommand::request(&request)).await
}

/// The body of a route that is told in this way.
async fn told(variant: RouteVariant) -> String {
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Route).topic("T").then(Effect::Route { variant }));
    String::from_utf8(ask(&scene).await.body.to_vec()).expect("JSON is text")
}

fn read(text: &str) -> TopicRouteData {
    from_json(text.as_bytes()).expect("a lenient reader takes it")
}

#[tokio::test(start_paused = true)]
async fn a_route_may_be_told_in_every_way() {
    let plain = {
        let scene = Scene::new().await;
        read(std::str::from_utf8(&ask(&scene).await.body).unwrap())
    };
    let unquoted = told(RouteVariant::UnquotedKeys).await;
    assert!(unquoted.contains("{0:\"10.0.1.1:10911\"}"), "{unquoted}");
    assert_eq!(read(&unquoted), plain);
    let unknown = told(RouteVariant::UnknownMembers).await;
    assert!(unknown.contains("aNewMember"));
    assert_eq!(read(&unknown), plain);
    let fewer = told(RouteVariant::NoFilterServers).await;
    assert!(!fewer.contains("filterServerTable"));
    assert_eq!(read(&fewer), plain);
    let empty = read(&told(RouteVariant::EmptyLists).await);
    assert!(empty.broker_datas.is_empty() && empty.queue_datas.is_empty());
    let truncated = told(RouteVariant::Truncated).await;
    assert!(from_json::<TopicRouteData>(truncated.as_bytes()).is_err());
    assert_eq!(read(&told(RouteVariant::Huge).await).queue_datas[0].write_queue_nums, 100_000);
    let orphaned = read(&told(RouteVariant::NoMaster).await);
    assert_eq!(orphaned.broker_datas[0].broker_addrs.keys().collect::<Vec<_>>(), [&1]);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_may_not_be_ready() {
    let scene = Scene::new().await;
    let fault = Fault::on(On::Route).name_server(0).times(2).then(Effect::name_server_not_ready());
    scene.cluster.fault(fault);
    for _ in 0..2 {
        assert_eq!(verdict(&ask(&scene).await), (1, "name server not ready"));
    }
    assert_eq!(ask(&scene).await.code, 0);
}
