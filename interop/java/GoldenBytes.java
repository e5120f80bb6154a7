// Writes bytes with Apache's own classes, for the golden tests of `crates/protocol`; or reads with them what Maxq wrote.
//
//   cargo run -p maxq-interop -- golden [--write]       compares the committed files with what this writes, or replaces them
//   java -cp CLASSPATH GoldenBytes.java OUTDIR          writes the files of crates/protocol/tests/fixtures/java-5.5.0
//   java -cp CLASSPATH GoldenBytes.java --read INDIR    checks the files of `cargo run -p maxq-protocol --all-features
//                                                       --example golden_bytes -- INDIR`; exit code 1 on a difference
//
// CLASSPATH needs rocketmq-broker of one version with all that it depends on, 5.5.0 for the committed files. The values here
// are repeated in tests/golden/values.rs and headers.rs.

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

import com.alibaba.fastjson2.JSONWriter;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.apache.rocketmq.common.BoundaryType;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.compression.CompressorFactory;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageVersion;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.protocol.LanguageCode;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.remoting.protocol.SerializeType;
import org.apache.rocketmq.remoting.protocol.admin.TopicOffset;
import org.apache.rocketmq.remoting.protocol.admin.TopicStatsTable;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.KVTable;
import org.apache.rocketmq.remoting.protocol.body.TopicList;
import org.apache.rocketmq.remoting.protocol.header.CreateTopicRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.DeleteTopicRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetEarliestMsgStoretimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetEarliestMsgStoretimeResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.GetMaxOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetMaxOffsetResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.GetMinOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetTopicConfigRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetTopicStatsInfoRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PullMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PullMessageResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.QueryConsumerOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.QueryMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.QueryMessageResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.SearchOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.SendMessageRequestHeaderV2;
import org.apache.rocketmq.remoting.protocol.header.SendMessageResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.UnregisterClientRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.UpdateConsumerOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ViewMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.namesrv.DeleteTopicFromNamesrvRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.namesrv.GetRouteInfoRequestHeader;
import org.apache.rocketmq.remoting.protocol.heartbeat.ConsumeType;
import org.apache.rocketmq.remoting.protocol.heartbeat.ConsumerData;
import org.apache.rocketmq.remoting.protocol.heartbeat.HeartbeatData;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.remoting.protocol.heartbeat.ProducerData;
import org.apache.rocketmq.remoting.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;
import org.apache.rocketmq.remoting.protocol.route.QueueData;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;
import org.apache.rocketmq.remoting.protocol.statictopic.TopicQueueMappingInfo;
import org.apache.rocketmq.store.MessageExtEncoder;
import org.apache.rocketmq.store.config.MessageStoreConfig;

public class GoldenBytes {
    static final String PROPERTIES = "KEYS\u0001k1 k2\u0002TAGS\u0001TagA\u0002UNIQ_KEY\u0001C0A8010A123418B4AAC20A1B2C3D0001\u0002"
        + "WAIT\u0001true\u0002city\u0001Z\u00fcrich \"\u6c34\" \ud83c\udf0a\u0002";
    static final String REMARK = "No topic route info in name server for the topic: \u4e3b\u9898\nSee \"06FAQ\" \\ for details.";

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("--read")) {
            read(Path.of(args[1]));
        } else if (args.length == 1) {
            write(Path.of(args[0]));
        } else {
            System.err.println("usage: GoldenBytes.java OUTDIR | --read INDIR");
            System.exit(2);
        }
    }

    // ---- what both directions agree on ----

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
        header.setProperties(PROPERTIES);
        header.setReconsumeTimes(0);
        header.setUnitMode(false);
        header.setBatch(false);
        header.setBrokerName("broker-a");
        RemotingCommand command = RemotingCommand.createRequestCommand(code,
            code == 10 ? header : SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(header));
        command.setBody("Hello".getBytes(StandardCharsets.UTF_8));
        return asRust(command, 8);
    }

    static RemotingCommand sendResponse() {
        SendMessageResponseHeader header = new SendMessageResponseHeader();
        header.setMsgId("7F00000100002A9F0000000000003039");
        header.setQueueId(2);
        header.setQueueOffset(5L);
        header.setTransactionId("C0A8010A123418B4AAC20A1B2C3D0001");
        RemotingCommand command = RemotingCommand.createResponseCommandWithHeader(0, header);
        command.addExtField("MSG_REGION", "DefaultRegion");
        command.addExtField("TRACE_ON", "true");
        return asServer(command, -8);
    }

    static RemotingCommand errorResponse() {
        return asServer(RemotingCommand.createResponseCommand(17, REMARK), 9);
    }

    /** Every other request that Maxq writes, by the name of its files. The values are repeated in tests/golden/headers.rs. */
    static Map<String, RemotingCommand> requests() throws Exception {
        Map<String, RemotingCommand> requests = new LinkedHashMap<>();
        requests.put("send-batch-request", batchRequest());
        requests.put("pull-request", request(11, pull()));
        QueryMessageRequestHeader query = new QueryMessageRequestHeader();
        query.setTopic("TopicTest");
        query.setKey("k1");
        query.setMaxNum(32);
        query.setBeginTimestamp(0L);
        query.setEndTimestamp(Long.MAX_VALUE);
        RemotingCommand queryRequest = request(12, query);
        queryRequest.addExtField("_UNIQUE_KEY_QUERY", "true");
        requests.put("query-message-request", queryRequest);
        QueryConsumerOffsetRequestHeader queryOffset = new QueryConsumerOffsetRequestHeader();
        queryOffset.setConsumerGroup("CG");
        queryOffset.setTopic("TopicTest");
        queryOffset.setQueueId(1);
        queryOffset.setSetZeroIfNotFound(false);
        queryOffset.setBrokerName("broker-a");
        requests.put("query-consumer-offset-request", request(14, queryOffset));
        UpdateConsumerOffsetRequestHeader update = new UpdateConsumerOffsetRequestHeader();
        update.setConsumerGroup("CG");
        update.setTopic("TopicTest");
        update.setQueueId(1);
        update.setCommitOffset(42L);
        update.setBrokerName("broker-a");
        requests.put("update-consumer-offset-request", request(15, update));
        requests.put("create-topic-request", request(17, createTopic()));
        SearchOffsetRequestHeader search = new SearchOffsetRequestHeader();
        search.setTopic("TopicTest");
        search.setQueueId(1);
        search.setTimestamp(1700000000000L);
        search.setBoundaryType(BoundaryType.UPPER);
        search.setBrokerName("broker-a");
        requests.put("search-offset-request", request(29, search));
        GetMaxOffsetRequestHeader max = new GetMaxOffsetRequestHeader();
        max.setTopic("TopicTest");
        max.setQueueId(1);
        max.setCommitted(true);
        max.setBrokerName("broker-a");
        requests.put("max-offset-request", request(30, max));
        GetMinOffsetRequestHeader min = new GetMinOffsetRequestHeader();
        min.setTopic("TopicTest");
        min.setQueueId(1);
        min.setBrokerName("broker-a");
        requests.put("min-offset-request", request(31, min));
        GetEarliestMsgStoretimeRequestHeader earliest = new GetEarliestMsgStoretimeRequestHeader();
        earliest.setTopic("TopicTest");
        earliest.setQueueId(1);
        earliest.setBrokerName("broker-a");
        requests.put("earliest-store-time-request", request(32, earliest));
        ViewMessageRequestHeader view = new ViewMessageRequestHeader();
        view.setTopic("TopicTest");
        view.setOffset(1234567890123L);
        requests.put("view-message-request", request(33, view));
        RemotingCommand beat = asRust(RemotingCommand.createRequestCommand(34, null), 10);
        beat.setBody(heartbeat().encode());
        requests.put("heartbeat-request", beat);
        UnregisterClientRequestHeader unregister = new UnregisterClientRequestHeader();
        unregister.setClientID("10.0.0.1@123");
        unregister.setProducerGroup("PG");
        unregister.setConsumerGroup("CG");
        requests.put("unregister-client-request", request(35, unregister));
        requests.put("check-client-config-request", request(46, null));
        requests.put("runtime-info-request", request(28, null));
        requests.put("cluster-info-request", request(106, null));
        requests.put("topic-list-request", request(206, null));
        GetTopicStatsInfoRequestHeader stats = new GetTopicStatsInfoRequestHeader();
        stats.setTopic("TopicTest");
        requests.put("topic-stats-request", request(202, stats));
        DeleteTopicRequestHeader delete = new DeleteTopicRequestHeader();
        delete.setTopic("TopicTest");
        requests.put("delete-topic-request", request(215, delete));
        DeleteTopicFromNamesrvRequestHeader forget = new DeleteTopicFromNamesrvRequestHeader();
        forget.setTopic("TopicTest");
        forget.setClusterName("DefaultCluster");
        requests.put("delete-topic-in-name-server-request", request(216, forget));
        GetTopicConfigRequestHeader config = new GetTopicConfigRequestHeader();
        config.setTopic("TopicTest");
        requests.put("topic-config-request", request(351, config));
        return requests;
    }

    /** Every other answer that Maxq reads and its emulator writes. */
    static Map<String, RemotingCommand> replies() {
        Map<String, RemotingCommand> replies = new LinkedHashMap<>();
        PullMessageResponseHeader pull = new PullMessageResponseHeader();
        pull.setSuggestWhichBrokerId(0L);
        pull.setNextBeginOffset(43L);
        pull.setMinOffset(7L);
        pull.setMaxOffset(100L);
        pull.setForbiddenType(3);
        RemotingCommand pulled = reply(19, pull);
        pulled.setRemark("OFFSET_FOUND_NULL");
        replies.put("pull-response", pulled);
        QueryMessageResponseHeader query = new QueryMessageResponseHeader();
        query.setIndexLastUpdateTimestamp(1700000000123L);
        query.setIndexLastUpdatePhyoffset(1234567890123L);
        replies.put("query-message-response", reply(0, query));
        GetMaxOffsetResponseHeader offset = new GetMaxOffsetResponseHeader();
        offset.setOffset(42L);
        replies.put("offset-response", reply(0, offset));
        GetEarliestMsgStoretimeResponseHeader time = new GetEarliestMsgStoretimeResponseHeader();
        time.setTimestamp(-1L);
        replies.put("store-time-response", reply(0, time));
        RemotingCommand beat = reply(0, null);
        beat.addExtField("IS_SUPPORT_HEART_BEAT_V2", "true");
        beat.addExtField("IS_SUB_CHANGE", "false");
        replies.put("heartbeat-response", beat);
        return replies;
    }

    static RemotingCommand request(int code, CommandCustomHeader header) {
        return asRust(RemotingCommand.createRequestCommand(code, header), 10);
    }

    static RemotingCommand reply(int code, CommandCustomHeader header) {
        RemotingCommand command = header == null ? RemotingCommand.createResponseCommand(code, null)
            : RemotingCommand.createResponseCommandWithHeader(code, header);
        return asServer(command, 10);
    }

    static RemotingCommand batchRequest() throws Exception {
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup("PG");
        header.setTopic("TopicTest");
        header.setDefaultTopic("TBW102");
        header.setDefaultTopicQueueNums(4);
        header.setQueueId(2);
        header.setSysFlag(0);
        header.setBornTimestamp(1700000000000L);
        header.setFlag(0);
        header.setProperties(PROPERTIES);
        header.setReconsumeTimes(0);
        header.setUnitMode(false);
        header.setBatch(true);
        header.setBrokerName("broker-a");
        RemotingCommand command =
            request(320, SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(header));
        command.setBody(MessageDecoder.encodeMessages(batch()));
        return command;
    }

    static PullMessageRequestHeader pull() {
        PullMessageRequestHeader header = new PullMessageRequestHeader();
        header.setConsumerGroup("CG");
        header.setTopic("TopicTest");
        header.setQueueId(1);
        header.setQueueOffset(42L);
        header.setMaxMsgNums(32);
        header.setSysFlag(6);
        header.setCommitOffset(0L);
        header.setSuspendTimeoutMillis(15000L);
        header.setSubscription("TagA || TagB");
        header.setSubVersion(1700000000000L);
        header.setExpressionType("TAG");
        header.setBrokerName("broker-a");
        return header;
    }

    static CreateTopicRequestHeader createTopic() {
        CreateTopicRequestHeader header = new CreateTopicRequestHeader();
        header.setTopic("TopicTest");
        header.setDefaultTopic("TBW102");
        header.setReadQueueNums(8);
        header.setWriteQueueNums(4);
        header.setPerm(6);
        header.setTopicFilterType("SINGLE_TAG");
        header.setTopicSysFlag(0);
        header.setOrder(false);
        header.setAttributes("+message.type=FIFO");
        header.setForce(false);
        return header;
    }

    static RemotingCommand asRust(RemotingCommand command, int opaque) {
        command.setLanguage(LanguageCode.RUST);
        command.setVersion(479);
        command.setOpaque(opaque);
        return command;
    }

    static RemotingCommand asServer(RemotingCommand command, int opaque) {
        command.markResponseType();
        command.setLanguage(LanguageCode.JAVA);
        command.setVersion(513);
        command.setOpaque(opaque);
        return command;
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

    static MessageExtBrokerInner stored(String topic, InetSocketAddress bornHost, InetSocketAddress storeHost) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(topic);
        message.setQueueId(3);
        message.setFlag(-5);
        message.setQueueOffset(42);
        message.setCommitLogOffset(1234567890123L);
        message.setSysFlag(0);
        message.setBornTimestamp(1700000000000L);
        message.setBornHost(bornHost);
        message.setStoreTimestamp(1700000000123L);
        message.setStoreHost(storeHost);
        message.setReconsumeTimes(2);
        message.setPreparedTransactionOffset(99);
        message.setBody("Hello stored".getBytes(StandardCharsets.UTF_8));
        message.setBodyCRC(UtilAll.crc32(message.getBody()));
        message.setPropertiesString(PROPERTIES);
        MessageAccessor.setProperties(message, MessageDecoder.string2messageProperties(PROPERTIES));
        if (bornHost.getAddress().getAddress().length == 16) {
            message.setBornHostV6Flag();
        }
        if (storeHost.getAddress().getAddress().length == 16) {
            message.setStoreHostAddressV6Flag();
        }
        if (topic.length() > Byte.MAX_VALUE) {
            message.setVersion(MessageVersion.MESSAGE_VERSION_V2);
        }
        return message;
    }

    static final String LONG_TOPIC = "%RETRY%" + "g".repeat(200);

    static InetSocketAddress v4(int last, int port) throws Exception {
        return new InetSocketAddress(InetAddress.getByAddress(new byte[] {10, 0, 0, (byte) last}), port);
    }

    static InetSocketAddress v6(int last, int port) throws Exception {
        byte[] bytes = new byte[16];
        bytes[0] = (byte) 0xfd;
        bytes[15] = (byte) last;
        return new InetSocketAddress(InetAddress.getByAddress(bytes), port);
    }

    static Map<String, MessageExtBrokerInner> records() throws Exception {
        Map<String, MessageExtBrokerInner> records = new LinkedHashMap<>();
        records.put("stored-v4.bin", stored("TopicTest", v4(1, 50000), v4(2, 10911)));
        records.put("stored-v6.bin", stored("TopicTest", v6(1, 50000), v6(2, 10911)));
        records.put("stored-mixed.bin", stored("TopicTest", v6(1, 50000), v4(2, 10911)));
        records.put("stored-long-topic.bin", stored(LONG_TOPIC, v4(1, 50000), v4(2, 10911)));
        return records;
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

    static Map<String, RemotingCommand> moreCommands() throws Exception {
        Map<String, RemotingCommand> commands = requests();
        commands.putAll(replies());
        return commands;
    }

    // ---- Java writes ----

    static void write(Path dir) throws Exception {
        Files.createDirectories(dir);
        for (SerializeType type : new SerializeType[] {SerializeType.JSON, SerializeType.ROCKETMQ}) {
            String kind = type == SerializeType.JSON ? "json" : "binary";
            put(dir, "route-request." + kind, frame(routeRequest(), type));
            put(dir, "send-v1-request." + kind, frame(sendRequest(10), type));
            put(dir, "send-v2-request." + kind, frame(sendRequest(310), type));
            put(dir, "send-response." + kind, frame(sendResponse(), type));
            put(dir, "error-response." + kind, frame(errorResponse(), type));
            for (Map.Entry<String, RemotingCommand> command : moreCommands().entrySet()) {
                put(dir, command.getKey() + "." + kind, frame(command.getValue(), type));
            }
        }
        writeBodies(dir);
        put(dir, "batch.bin", MessageDecoder.encodeMessages(batch()));
        for (Map.Entry<String, MessageExtBrokerInner> record : records().entrySet()) {
            put(dir, record.getKey(), asBroker(record.getValue()));
        }
        for (CompressionType type : CompressionType.values()) {
            String name = type.name().toLowerCase();
            MessageExtBrokerInner message = stored("TopicTest", v4(1, 50000), v4(2, 10911));
            message.setSysFlag(type.getCompressionFlag() | MessageSysFlag.COMPRESSED_FLAG);
            byte[] packed = CompressorFactory.getCompressor(type).compress(message.getBody(), 5);
            message.setBody(packed);
            message.setBodyCRC(UtilAll.crc32(packed));
            put(dir, "stored-" + name + ".bin", asBroker(message));
            for (String size : new String[] {"small", "large"}) {
                put(dir, size + "." + name, CompressorFactory.getCompressor(type).compress(body(size), 5));
            }
        }
        put(dir, "properties.bin", MessageDecoder.messageProperties2String(
            new TreeMap<>(MessageDecoder.string2messageProperties(PROPERTIES))).getBytes(StandardCharsets.UTF_8));
        put(dir, "offset-ids.txt", (MessageDecoder.createMessageId(v4(2, 10911), 1234567890123L) + "\n"
            + MessageDecoder.createMessageId(v6(2, 10911), 1234567890123L) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** The encoder of a broker; it leaves the two offsets for the commit log to fill in. */
    static byte[] asBroker(MessageExtBrokerInner message) throws Exception {
        MessageExtEncoder encoder = new MessageExtEncoder(new MessageStoreConfig());
        if (encoder.encode(message) != null) {
            throw new IllegalStateException("the broker's encoder refused " + message);
        }
        ByteBuffer record = encoder.getEncoderBuffer();
        byte[] bytes = new byte[record.getInt(0)];
        record.get(bytes);
        ByteBuffer.wrap(bytes).putLong(MessageDecoder.QUEUE_OFFSET_POSITION, message.getQueueOffset())
            .putLong(MessageDecoder.PHY_POS_POSITION, message.getCommitLogOffset());
        return bytes;
    }

    static void writeBodies(Path dir) throws Exception {
        TopicRouteData route = route();
        put(dir, "route-fastjson.json", route.encode());
        put(dir, "route-standard.json",
            route.encode(JSONWriter.Feature.BrowserCompatible, JSONWriter.Feature.MapSortField));
        ClusterInfo cluster = new ClusterInfo();
        Map<String, BrokerData> brokers = new TreeMap<>();
        brokers.put("broker-a", broker("broker-a", null));
        cluster.setBrokerAddrTable(brokers);
        Map<String, java.util.Set<String>> clusters = new TreeMap<>();
        clusters.put("DefaultCluster", new HashSet<>(List.of("broker-a")));
        cluster.setClusterAddrTable(clusters);
        put(dir, "cluster.json", cluster.encode());
        TopicList topics = new TopicList();
        topics.setTopicList(new LinkedHashSet<>(List.of("TopicTest", "%RETRY%CG")));
        put(dir, "topic-list.json", topics.encode());
        TopicConfig config = new TopicConfig("TopicTest", 8, 4, 6);
        Map<String, String> attributes = new HashMap<>();
        attributes.put("message.type", "FIFO");
        config.setAttributes(attributes);
        put(dir, "topic-config.json", RemotingSerializable.encode(config));
        KVTable table = new KVTable();
        table.setTable(new HashMap<>(Map.of("brokerVersionDesc", "V5_5_0")));
        put(dir, "kv-table.json", table.encode());
        put(dir, "heartbeat.json", heartbeat().encode());
        put(dir, "topic-stats.json", topicStats().encode());
    }

    static TopicStatsTable topicStats() {
        TopicOffset offset = new TopicOffset();
        offset.setMinOffset(7);
        offset.setMaxOffset(42);
        offset.setLastUpdateTimestamp(1700000000123L);
        TopicStatsTable stats = new TopicStatsTable();
        Map<MessageQueue, TopicOffset> table = new HashMap<>();
        table.put(new MessageQueue("TopicTest", "broker-a", 1), offset);
        stats.setOffsetTable(table);
        return stats;
    }

    static TopicRouteData route() {
        TopicRouteData route = new TopicRouteData();
        route.setBrokerDatas(new ArrayList<>(List.of(broker("broker-a", null), broker("broker-b", "zone-1"))));
        QueueData a = new QueueData();
        a.setBrokerName("broker-a");
        a.setReadQueueNums(8);
        a.setWriteQueueNums(4);
        a.setPerm(6);
        QueueData b = new QueueData(a);
        b.setBrokerName("broker-b");
        b.setPerm(4);
        b.setTopicSysFlag(1);
        route.setQueueDatas(new ArrayList<>(List.of(a, b)));
        route.setFilterServerTable(new HashMap<>());
        route.setOrderTopicConf("broker-a:4;broker-b:2");
        TopicQueueMappingInfo mapping = new TopicQueueMappingInfo("TopicTest", 2, "broker-a", 3);
        ConcurrentHashMap<Integer, Integer> ids = new ConcurrentHashMap<>();
        ids.put(0, 0);
        ids.put(1, 5);
        mapping.setCurrIdMap(ids);
        Map<String, TopicQueueMappingInfo> mappings = new HashMap<>();
        mappings.put("broker-a", mapping);
        route.setTopicQueueMappingByBroker(mappings);
        return route;
    }

    static BrokerData broker(String name, String zone) {
        HashMap<Long, String> addresses = new HashMap<>();
        addresses.put(0L, "10.0.0.1:10911");
        addresses.put(1L, "10.0.0.2:10911");
        BrokerData broker = new BrokerData("DefaultCluster", name, addresses);
        broker.setZoneName(zone);
        return broker;
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

    // ---- Java reads ----

    static int differences = 0;

    static void read(Path dir) throws Exception {
        for (String kind : new String[] {"json", "binary"}) {
            readCommand(dir, "route-request." + kind, routeRequest());
            readCommand(dir, "send-v1-request." + kind, sendRequest(10));
            readCommand(dir, "send-v2-request." + kind, sendRequest(310));
            readCommand(dir, "send-response." + kind, sendResponse());
            readCommand(dir, "error-response." + kind, errorResponse());
            for (Map.Entry<String, RemotingCommand> command : moreCommands().entrySet()) {
                readCommand(dir, command.getKey() + "." + kind, command.getValue());
            }
        }
        readBodies(dir);
        List<Message> batch = MessageDecoder.decodeMessages(ByteBuffer.wrap(get(dir, "batch.bin")));
        same("batch size", batch().size(), batch.size());
        for (int at = 0; at < batch.size(); at++) {
            same("batch flag", batch().get(at).getFlag(), batch.get(at).getFlag());
            same("batch body", Arrays.toString(batch().get(at).getBody()), Arrays.toString(batch.get(at).getBody()));
            same("batch properties", batch().get(at).getProperties(), batch.get(at).getProperties());
        }
        for (Map.Entry<String, MessageExtBrokerInner> record : records().entrySet()) {
            readRecord(dir, record.getKey(), record.getValue());
        }
        for (CompressionType type : CompressionType.values()) {
            String name = type.name().toLowerCase();
            readRecord(dir, "stored-" + name + ".bin", stored("TopicTest", v4(1, 50000), v4(2, 10911)));
            for (String size : new String[] {"small", "large"}) {
                byte[] plain = CompressorFactory.getCompressor(type).decompress(get(dir, size + "." + name));
                same(size + "." + name, Arrays.hashCode(body(size)), Arrays.hashCode(plain));
            }
        }
        same("properties.bin", MessageDecoder.string2messageProperties(PROPERTIES),
            MessageDecoder.string2messageProperties(text(dir, "properties.bin")));
        String[] ids = text(dir, "offset-ids.txt").split("\n");
        same("offset id v4", v4(2, 10911), MessageDecoder.decodeMessageId(ids[0]).getAddress());
        same("offset id v6", v6(2, 10911), MessageDecoder.decodeMessageId(ids[1]).getAddress());
        same("offset id", 1234567890123L, MessageDecoder.decodeMessageId(ids[1]).getOffset());
        readUniqueId(text(dir, "unique-id.txt").trim());
        System.out.println(differences == 0 ? "all read alike" : differences + " differences");
        System.exit(differences == 0 ? 0 : 1);
    }

    /** The example made it one day into this month; Java counts in its own time zone. */
    static void readUniqueId(String id) {
        java.util.Calendar month = java.util.Calendar.getInstance();
        month.setTimeInMillis(System.currentTimeMillis());
        month.set(month.get(java.util.Calendar.YEAR), month.get(java.util.Calendar.MONTH), 1, 0, 0, 0);
        month.set(java.util.Calendar.MILLISECOND, 0);
        long expected = month.getTimeInMillis() + 86_400_000L;
        if (expected > System.currentTimeMillis()) { // on the first of a month Java means the month before
            month.add(java.util.Calendar.MONTH, -1);
            expected = month.getTimeInMillis() + 86_400_000L;
        }
        same("time of the unique id", expected, MessageClientIDSetter.getNearlyTimeFromID(id).getTime());
    }

    static void readCommand(Path dir, String name, RemotingCommand expected) throws Exception {
        ByteBuf frame = Unpooled.wrappedBuffer(get(dir, name));
        same(name + " length", frame.readableBytes() - 4, frame.readInt());
        RemotingCommand actual = RemotingCommand.decode(frame);
        expected.makeCustomHeaderToNet();
        same(name + " code", expected.getCode(), actual.getCode());
        same(name + " language", expected.getLanguage(), actual.getLanguage());
        same(name + " version", expected.getVersion(), actual.getVersion());
        same(name + " opaque", expected.getOpaque(), actual.getOpaque());
        same(name + " flag", expected.getFlag(), actual.getFlag());
        same(name + " remark", expected.getRemark(), actual.getRemark());
        same(name + " ext", fields(expected), fields(actual));
        same(name + " body", Arrays.toString(expected.getBody()), Arrays.toString(actual.getBody()));
    }

    static Map<String, String> fields(RemotingCommand command) {
        return command.getExtFields() == null ? Map.of() : command.getExtFields();
    }

    static void readBodies(Path dir) throws Exception {
        for (String name : new String[] {"route-fastjson.json", "route-standard.json"}) {
            same(name, route(), TopicRouteData.decode(get(dir, name), TopicRouteData.class));
        }
        same("heartbeat.json", heartbeat().toString(),
            HeartbeatData.decode(get(dir, "heartbeat.json"), HeartbeatData.class).toString());
        ClusterInfo cluster = ClusterInfo.decode(get(dir, "cluster.json"), ClusterInfo.class);
        same("cluster.json", broker("broker-a", null), cluster.getBrokerAddrTable().get("broker-a"));
        same("cluster.json", "{DefaultCluster=[broker-a]}", cluster.getClusterAddrTable().toString());
    }

    static void readRecord(Path dir, String name, MessageExt expected) throws Exception {
        MessageExt actual = MessageDecoder.decode(ByteBuffer.wrap(get(dir, name)), true, true, false, false, true);
        if (actual == null) {
            same(name, "a message", null);
            return;
        }
        same(name + " body", new String(expected.getBody()), new String(actual.getBody()));
        same(name + " topic", expected.getTopic(), actual.getTopic());
        same(name + " queue", expected.getQueueId(), actual.getQueueId());
        same(name + " flag", expected.getFlag(), actual.getFlag());
        same(name + " queue offset", expected.getQueueOffset(), actual.getQueueOffset());
        same(name + " commit-log offset", expected.getCommitLogOffset(), actual.getCommitLogOffset());
        same(name + " born time", expected.getBornTimestamp(), actual.getBornTimestamp());
        same(name + " born host", expected.getBornHost(), actual.getBornHost());
        same(name + " store time", expected.getStoreTimestamp(), actual.getStoreTimestamp());
        same(name + " store host", expected.getStoreHost(), actual.getStoreHost());
        same(name + " reconsume times", expected.getReconsumeTimes(), actual.getReconsumeTimes());
        same(name + " prepared", expected.getPreparedTransactionOffset(), actual.getPreparedTransactionOffset());
        same(name + " properties", expected.getProperties(), actual.getProperties());
    }

    static byte[] get(Path dir, String name) throws Exception {
        return Files.readAllBytes(dir.resolve(name));
    }

    static String text(Path dir, String name) throws Exception {
        return new String(get(dir, name), StandardCharsets.UTF_8);
    }

    static void same(String what, Object expected, Object actual) {
        if (!java.util.Objects.equals(expected, actual)) {
            differences++;
            System.out.println(what + ": expected " + expected + ", read " + actual);
        }
    }
}
