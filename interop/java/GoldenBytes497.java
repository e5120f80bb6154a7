// Writes bytes with the classes of Apache RocketMQ 4.9.7, where they differ from those of 5.5.0 (GoldenBytes.java): other
// packages, fastjson 1, fewer members, and properties without a separator at their end.
//
//   cargo run -p maxq-interop -- golden [--write]     compares the committed files with what this writes, or replaces them
//   java -cp CLASSPATH GoldenBytes497.java OUTDIR     writes the files of crates/protocol/tests/fixtures/java-4.9.7
//
// CLASSPATH needs rocketmq-broker 4.9.7 with all that it depends on. The values are those of tests/golden/values.rs.

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

import com.alibaba.fastjson.serializer.SerializerFeature;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.admin.TopicOffset;
import org.apache.rocketmq.common.admin.TopicStatsTable;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.body.ClusterInfo;
import org.apache.rocketmq.common.protocol.body.KVTable;
import org.apache.rocketmq.common.protocol.body.TopicList;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeaderV2;
import org.apache.rocketmq.common.protocol.header.SendMessageResponseHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.GetRouteInfoRequestHeader;
import org.apache.rocketmq.common.protocol.heartbeat.ConsumeType;
import org.apache.rocketmq.common.protocol.heartbeat.ConsumerData;
import org.apache.rocketmq.common.protocol.heartbeat.HeartbeatData;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.common.protocol.heartbeat.ProducerData;
import org.apache.rocketmq.common.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.common.protocol.route.BrokerData;
import org.apache.rocketmq.common.protocol.route.QueueData;
import org.apache.rocketmq.common.protocol.route.TopicRouteData;
import org.apache.rocketmq.remoting.protocol.LanguageCode;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.remoting.protocol.SerializeType;

public class GoldenBytes497 {
    static final String UNIQUE_ID = "C0A8010A123418B4AAC20A1B2C3D0001";
    static final String REMARK = "No topic route info in name server for the topic: \u4e3b\u9898\nSee \"06FAQ\" \\ for details.";

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Files.createDirectories(dir);
        for (SerializeType type : new SerializeType[] {SerializeType.JSON, SerializeType.ROCKETMQ}) {
            String kind = type == SerializeType.JSON ? "json" : "binary";
            put(dir, "route-request." + kind, frame(routeRequest(), type));
            put(dir, "send-v1-request." + kind, frame(sendRequest(10), type));
            put(dir, "send-v2-request." + kind, frame(sendRequest(310), type));
            put(dir, "send-response." + kind, frame(sendResponse(), type));
            put(dir, "error-response." + kind,
                frame(asServer(RemotingCommand.createResponseCommand(17, REMARK), 9), type));
        }
        bodies(dir);
        put(dir, "batch.bin", MessageDecoder.encodeMessages(batch()));
        put(dir, "stored-v4.bin", MessageDecoder.encode(stored(), false));
        for (String size : new String[] {"small", "large"}) {
            put(dir, size + ".zlib", UtilAll.compress(body(size), 5));
        }
        put(dir, "properties.bin", properties().getBytes(StandardCharsets.UTF_8));
        put(dir, "offset-ids.txt", (MessageDecoder.createMessageId(v4(2, 10911), 1234567890123L) + "\n"
            + MessageDecoder.createMessageId(v6(2, 10911), 1234567890123L) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    static RemotingCommand routeRequest() {
        GetRouteInfoRequestHeader header = new GetRouteInfoRequestHeader();
        header.setTopic("TopicTest");
        header.setAcceptStandardJsonOnly(true);
        return asRust(RemotingCommand.createRequestCommand(105, header), 7);
    }

    static RemotingCommand sendRequest(int code) {
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup("PG");
        header.setTopic("TopicTest");
        header.setDefaultTopic("TBW102");
        header.setDefaultTopicQueueNums(4);
        header.setQueueId(2);
        header.setSysFlag(0);
        header.setBornTimestamp(1700000000000L);
        header.setFlag(-5);
        header.setProperties(properties());
        header.setReconsumeTimes(0);
        header.setUnitMode(false);
        header.setBatch(false);
        RemotingCommand command = RemotingCommand.createRequestCommand(code,
            code == 10 ? header : SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(header));
        command.setBody("Hello".getBytes(StandardCharsets.UTF_8));
        return asRust(command, 8);
    }

    static RemotingCommand sendResponse() {
        RemotingCommand command = RemotingCommand.createResponseCommand(SendMessageResponseHeader.class);
        command.setCode(0);
        command.setRemark(null);
        SendMessageResponseHeader header = (SendMessageResponseHeader) command.readCustomHeader();
        header.setMsgId("7F00000100002A9F0000000000003039");
        header.setQueueId(2);
        header.setQueueOffset(5L);
        header.setTransactionId(UNIQUE_ID);
        command.addExtField("MSG_REGION", "DefaultRegion");
        command.addExtField("TRACE_ON", "true");
        return asServer(command, -8);
    }

    static RemotingCommand asRust(RemotingCommand command, int opaque) {
        command.setLanguage(LanguageCode.OTHER); // it does not know RUST
        command.setVersion(479);
        command.setOpaque(opaque);
        return command;
    }

    static RemotingCommand asServer(RemotingCommand command, int opaque) {
        command.markResponseType();
        command.setLanguage(LanguageCode.JAVA);
        command.setVersion(407);
        command.setOpaque(opaque);
        return command;
    }

    static void bodies(Path dir) throws Exception {
        put(dir, "route-fastjson.json", route().encode());
        put(dir, "route-standard.json", route().encode(SerializerFeature.BrowserCompatible,
            SerializerFeature.QuoteFieldNames, SerializerFeature.SkipTransientField, SerializerFeature.MapSortField));
        ClusterInfo cluster = new ClusterInfo();
        HashMap<String, BrokerData> brokers = new HashMap<>();
        brokers.put("broker-a", broker("broker-a"));
        cluster.setBrokerAddrTable(brokers);
        HashMap<String, Set<String>> clusters = new HashMap<>();
        clusters.put("DefaultCluster", new HashSet<>(List.of("broker-a")));
        cluster.setClusterAddrTable(clusters);
        put(dir, "cluster.json", cluster.encode());
        TopicList topics = new TopicList();
        topics.setTopicList(new LinkedHashSet<>(List.of("TopicTest", "%RETRY%CG")));
        put(dir, "topic-list.json", topics.encode());
        put(dir, "topic-config.json", RemotingSerializable.encode(new TopicConfig("TopicTest", 8, 4, 6)));
        KVTable table = new KVTable();
        table.setTable(new HashMap<>(Map.of("brokerVersionDesc", "V5_5_0")));
        put(dir, "kv-table.json", table.encode());
        put(dir, "heartbeat.json", heartbeat().encode());
        put(dir, "topic-stats.json", topicStats().encode());
    }

    static TopicRouteData route() {
        TopicRouteData route = new TopicRouteData();
        route.setBrokerDatas(new ArrayList<>(List.of(broker("broker-a"), broker("broker-b"))));
        route.setQueueDatas(new ArrayList<>(List.of(queues("broker-a", 6, 0), queues("broker-b", 4, 1))));
        route.setFilterServerTable(new HashMap<>());
        route.setOrderTopicConf("broker-a:4;broker-b:2");
        return route;
    }

    static QueueData queues(String broker, int perm, int sysFlag) {
        QueueData queues = new QueueData();
        queues.setBrokerName(broker);
        queues.setReadQueueNums(8);
        queues.setWriteQueueNums(4);
        queues.setPerm(perm);
        queues.setTopicSysFlag(sysFlag);
        return queues;
    }

    static BrokerData broker(String name) {
        HashMap<Long, String> addresses = new HashMap<>();
        addresses.put(0L, "10.0.0.1:10911");
        addresses.put(1L, "10.0.0.2:10911");
        return new BrokerData("DefaultCluster", name, addresses);
    }

    static HeartbeatData heartbeat() {
        HeartbeatData heartbeat = new HeartbeatData();
        heartbeat.setClientID("10.0.0.1@123");
        ProducerData producer = new ProducerData();
        producer.setGroupName("PG");
        heartbeat.getProducerDataSet().add(producer);
        SubscriptionData subscription = new SubscriptionData("TopicTest", "TagA || TagB");
        subscription.setSubVersion(1700000000000L);
        for (String tag : new String[] {"TagA", "TagB"}) {
            subscription.getTagsSet().add(tag);
            subscription.getCodeSet().add(tag.hashCode());
        }
        ConsumerData consumer = new ConsumerData();
        consumer.setGroupName("CG");
        consumer.setConsumeType(ConsumeType.CONSUME_PASSIVELY);
        consumer.setMessageModel(MessageModel.CLUSTERING);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        consumer.getSubscriptionDataSet().add(subscription);
        heartbeat.getConsumerDataSet().add(consumer);
        return heartbeat;
    }

    static TopicStatsTable topicStats() {
        TopicOffset offset = new TopicOffset();
        offset.setMinOffset(7);
        offset.setMaxOffset(42);
        offset.setLastUpdateTimestamp(1700000000123L);
        TopicStatsTable stats = new TopicStatsTable();
        HashMap<MessageQueue, TopicOffset> table = new HashMap<>();
        table.put(new MessageQueue("TopicTest", "broker-a", 1), offset);
        stats.setOffsetTable(table);
        return stats;
    }

    static List<Message> batch() {
        Message first = new Message("TopicTest", "first".getBytes(StandardCharsets.UTF_8));
        first.setFlag(7);
        first.setTags("TagA");
        first.setWaitStoreMsgOK(true);
        Message second = new Message("TopicTest", new byte[] {0, 1, 2, (byte) 255});
        second.setFlag(-1);
        second.setWaitStoreMsgOK(true);
        return List.of(first, second);
    }

    static MessageExt stored() throws Exception {
        MessageExt message = new MessageExt();
        message.setTopic("TopicTest");
        message.setQueueId(3);
        message.setFlag(-5);
        message.setQueueOffset(42);
        message.setCommitLogOffset(1234567890123L);
        message.setSysFlag(0);
        message.setBornTimestamp(1700000000000L);
        message.setBornHost(v4(1, 50000));
        message.setStoreTimestamp(1700000000123L);
        message.setStoreHost(v4(2, 10911));
        message.setReconsumeTimes(2);
        message.setPreparedTransactionOffset(99);
        message.setBody("Hello stored".getBytes(StandardCharsets.UTF_8));
        message.setBodyCRC(UtilAll.crc32(message.getBody()));
        MessageAccessor.setProperties(message, MessageDecoder.string2messageProperties(properties()));
        return message;
    }

    static String properties() {
        Map<String, String> properties = new TreeMap<>();
        properties.put("KEYS", "k1 k2");
        properties.put("TAGS", "TagA");
        properties.put("UNIQ_KEY", UNIQUE_ID);
        properties.put("WAIT", "true");
        properties.put("city", "Z\u00fcrich \"\u6c34\" \ud83c\udf0a");
        return MessageDecoder.messageProperties2String(properties);
    }

    static byte[] body(String size) {
        if (size.equals("small")) {
            return "Hello, compressed world!".getBytes(StandardCharsets.UTF_8);
        }
        StringBuilder text = new StringBuilder();
        for (int line = 0; text.length() < 100_000; line++) {
            text.append("line ").append(line).append(" of ").append(line * 7919 % 1000).append('\n');
        }
        return text.substring(0, 100_000).getBytes(StandardCharsets.UTF_8);
    }

    static InetSocketAddress v4(int last, int port) throws Exception {
        return new InetSocketAddress(InetAddress.getByAddress(new byte[] {10, 0, 0, (byte) last}), port);
    }

    static InetSocketAddress v6(int last, int port) throws Exception {
        byte[] bytes = new byte[16];
        bytes[0] = (byte) 0xfd;
        bytes[15] = (byte) last;
        return new InetSocketAddress(InetAddress.getByAddress(bytes), port);
    }

    static byte[] frame(RemotingCommand command, SerializeType type) {
        command.setSerializeTypeCurrentRPC(type);
        ByteBuf out = Unpooled.buffer();
        command.fastEncodeHeader(out); // what NettyEncoder does
        if (command.getBody() != null) {
            out.writeBytes(command.getBody());
        }
        byte[] bytes = new byte[out.readableBytes()];
        out.readBytes(bytes);
        return bytes;
    }

    static void put(Path dir, String name, byte[] bytes) throws Exception {
        Files.write(dir.resolve(name), bytes);
    }
}
