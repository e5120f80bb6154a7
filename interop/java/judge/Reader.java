package judge;

import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The verbs {@code read} and {@code tally}: everything that a topic holds, as Apache's pull consumer sees it.
 *
 * <p>The pull consumer rather than the lite one: the lite consumer of 5.5.0 gets nothing from a 4.9 broker, because it
 * asks with code 361.
 */
@SuppressWarnings("deprecation")
final class Reader {
    private final Map<String, DefaultMQPullConsumer> consumers = new TreeMap<>();
    private final ExecutorService drainers = Executors.newFixedThreadPool(8);

    /**
     * {@code read name_server= topic= count= timeout=MS}: one line a message.
     *
     * <p>A broker writes its queues a moment after it has answered the send, so this looks again until {@code count}
     * messages are there or the time is over. Too few are no error here: the launcher judges.
     */
    void read(Request request, PrintStream answers) throws Exception {
        long end = System.currentTimeMillis() + request.number("timeout");
        DefaultMQPullConsumer consumer = consumer(request.text("name_server"));
        List<MessageExt> messages = new ArrayList<>();
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        do {
            for (MessageQueue queue : queues(consumer, request.text("topic"), end)) {
                drain(consumer, queue, offsets, messages::add);
            }
            if (messages.size() < request.number("count")) {
                Thread.sleep(50);
            }
        } while (messages.size() < request.number("count") && System.currentTimeMillis() < end);
        for (MessageExt message : messages) {
            answers.println(json(message));
        }
    }

    /**
     * {@code tally name_server= topic= messages= quiet=MS timeout=MS}: what a load has left, told as ranges.
     *
     * <p>Ends when at least {@code messages} are there and no more have come for {@code quiet}, at the latest when the
     * time is over: a duplicate may be written long after its twin.
     */
    void tally(Request request, PrintStream answers) throws Exception {
        long end = System.currentTimeMillis() + request.number("timeout");
        DefaultMQPullConsumer consumer = consumer(request.text("name_server"));
        Tally tally = new Tally();
        Map<MessageQueue, Long> offsets = new ConcurrentHashMap<>();
        long grew = System.currentTimeMillis();
        while (System.currentTimeMillis() < end) {
            long before = tally.copies();
            // All queues at once: there are hundreds of thousands of messages, and a pull gives 32.
            List<Callable<Void>> drains = new ArrayList<>();
            for (MessageQueue queue : queues(consumer, request.text("topic"), end)) {
                drains.add(() -> {
                    drain(consumer, queue, offsets, message -> tally.add(message.getBody()));
                    return null;
                });
            }
            for (Future<Void> drain : drainers.invokeAll(drains)) {
                drain.get();
            }
            long now = System.currentTimeMillis();
            if (tally.copies() > before) {
                grew = now;
            } else if (tally.messages() >= request.number("messages") && now - grew >= request.number("quiet")) {
                break;
            }
            Thread.sleep(50);
        }
        tally.tell(answers);
    }

    /** None as long as nobody knows the topic: a new one may be on its way to the name server. */
    private static Set<MessageQueue> queues(DefaultMQPullConsumer consumer, String topic, long end)
        throws MQClientException {
        try {
            return consumer.fetchSubscribeMessageQueues(topic);
        } catch (MQClientException unknown) {
            if (System.currentTimeMillis() >= end) {
                throw unknown;
            }
            return Collections.emptySet();
        }
    }

    private static void drain(DefaultMQPullConsumer consumer, MessageQueue queue, Map<MessageQueue, Long> offsets,
        Consumer<MessageExt> each) throws Exception {
        if (!offsets.containsKey(queue)) {
            offsets.put(queue, consumer.minOffset(queue));
        }
        // Asked once: a load leaves thousands of pulls, and whoever wants what comes meanwhile calls again.
        long end = consumer.maxOffset(queue);
        while (offsets.get(queue) < end) {
            PullResult pulled = consumer.pull(queue, "*", offsets.get(queue), 32);
            if (pulled.getPullStatus() == PullStatus.NO_NEW_MSG) {
                return;
            }
            if (pulled.getPullStatus() == PullStatus.FOUND) {
                pulled.getMsgFoundList().forEach(each);
            }
            offsets.put(queue, pulled.getNextBeginOffset());
        }
    }

    private static Json json(MessageExt message) {
        String offsetMessageId = message instanceof MessageClientExt
            ? ((MessageClientExt) message).getOffsetMsgId() : message.getMsgId();
        return new Json().put("topic", message.getTopic())
            .put("broker", message.getBrokerName())
            .put("queue", message.getQueueId())
            .put("offset", message.getQueueOffset())
            .put("message_id", MessageClientIDSetter.getUniqID(message))
            .put("message_id_time", idTime(MessageClientIDSetter.getUniqID(message)))
            .put("offset_message_id", offsetMessageId)
            .put("keys", message.getKeys())
            .put("tag", message.getTags())
            .put("properties", new TreeMap<>(message.getProperties()))
            .put("flag", message.getFlag())
            .put("sys_flag", message.getSysFlag())
            .put("body_base64", Base64.getEncoder().encodeToString(message.getBody()))
            .put("body_crc", message.getBodyCRC())
            .put("store_size", message.getStoreSize())
            .put("commit_log_offset", message.getCommitLogOffset())
            .put("reconsume_times", message.getReconsumeTimes())
            .put("born_timestamp", message.getBornTimestamp())
            .put("born_host", address(message.getBornHost()))
            .put("store_timestamp", message.getStoreTimestamp())
            .put("store_host", address(message.getStoreHost()));
    }

    /** What Apache's client takes for the time at which the id was made; ids of other clients must keep its layout. */
    private static long idTime(String uniqueId) {
        return uniqueId == null ? 0 : MessageClientIDSetter.getNearlyTimeFromID(uniqueId).getTime();
    }

    private static String address(SocketAddress address) {
        InetSocketAddress known = (InetSocketAddress) address;
        return known.getAddress().getHostAddress() + ":" + known.getPort();
    }

    private DefaultMQPullConsumer consumer(String nameServer) throws Exception {
        DefaultMQPullConsumer consumer = consumers.get(nameServer);
        if (consumer == null) {
            consumer = new DefaultMQPullConsumer("maxq_interop_reader");
            consumer.setNamesrvAddr(nameServer);
            // Clients of one process share their connections by instance name, whatever their name server is.
            consumer.setInstanceName("reader@" + nameServer);
            // A busy machine is no reason to fail.
            consumer.setMqClientApiTimeout(30_000);
            consumer.start();
            consumers.put(nameServer, consumer);
        }
        return consumer;
    }
}
