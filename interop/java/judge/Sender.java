package judge;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The verbs {@code message} and {@code send}: Apache's {@link DefaultMQProducer}.
 *
 * <p>A producer stays open once started: closing it right after a one-way send could cut the send off.
 */
final class Sender {
    private final Map<String, DefaultMQProducer> producers = new TreeMap<>();
    private List<Message> messages = new ArrayList<>();

    /** {@code message topic= body=BASE64 [tags=] [keys=] [flag=] [property.NAME=]..}: to be sent by the next send. */
    void add(Request request) {
        Message message = new Message(request.text("topic"), Base64.getDecoder().decode(request.text("body")));
        if (request.find("tags") != null) {
            message.setTags(request.find("tags"));
        }
        if (request.find("keys") != null) {
            message.setKeys(request.find("keys"));
        }
        if (request.find("flag") != null) {
            message.setFlag((int) request.number("flag"));
        }
        request.under("property.").forEach(message::putUserProperty);
        messages.add(message);
    }

    /**
     * {@code send name_server= mode=sync|async|oneway|selector|by_key|batch [broker= queue=] [key=]}: one result a message, one
     * for a batch.
     */
    void send(Request request, PrintStream answers) throws Exception {
        List<Message> due = messages;
        messages = new ArrayList<>();
        DefaultMQProducer producer = producer(request.text("name_server"));
        String mode = request.text("mode");
        if (mode.equals("batch")) {
            answers.println(json(due.get(0), producer.send(due)));
            return;
        }
        for (Message message : due) {
            if (mode.equals("by_key")) {
                answers.println(json(message,
                    producer.send(message, new SelectMessageQueueByHash(), request.text("key"))));
                continue;
            }
            answers.println(json(message, send(producer, mode, message, queue(request, message))));
        }
    }

    /** The result, or null for a one-way send. */
    private static SendResult send(DefaultMQProducer producer, String mode, Message message, MessageQueue queue)
        throws Exception {
        switch (mode) {
            case "sync":
                return queue == null ? producer.send(message) : producer.send(message, queue);
            case "selector":
                return producer.send(message, new SelectMessageQueueByHash(), message.getKeys());
            case "async":
                Waiting waiting = new Waiting();
                if (queue == null) {
                    producer.send(message, waiting);
                } else {
                    producer.send(message, queue, waiting);
                }
                return waiting.get(40, TimeUnit.SECONDS);
            case "oneway":
                if (queue == null) {
                    producer.sendOneway(message);
                } else {
                    producer.sendOneway(message, queue);
                }
                return null;
            default:
                throw new IllegalArgumentException("unknown mode " + mode);
        }
    }

    private static MessageQueue queue(Request request, Message message) {
        String broker = request.find("broker");
        return broker == null ? null : new MessageQueue(message.getTopic(), broker, (int) request.number("queue"));
    }

    private static Json json(Message message, SendResult result) {
        Json json = new Json().put("sent_message_id", MessageClientIDSetter.getUniqID(message));
        if (result == null) {
            return json;
        }
        return json.put("status", result.getSendStatus().name())
            .put("message_id", result.getMsgId())
            .put("offset_message_id", result.getOffsetMsgId())
            .put("broker", result.getMessageQueue().getBrokerName())
            .put("queue", result.getMessageQueue().getQueueId())
            .put("offset", result.getQueueOffset());
    }

    private DefaultMQProducer producer(String nameServer) throws Exception {
        DefaultMQProducer producer = producers.get(nameServer);
        if (producer == null) {
            producer = new DefaultMQProducer("maxq_interop_producer");
            producer.setNamesrvAddr(nameServer);
            // Clients of one process share their connections by instance name, whatever their name server is.
            producer.setInstanceName("producer@" + nameServer);
            // A busy machine is no reason to fail, and a second attempt after a time-out would store a second message.
            producer.setSendMsgTimeout(30_000);
            producer.setMqClientApiTimeout(30_000);
            producer.start();
            producers.put(nameServer, producer);
        }
        return producer;
    }

    private static final class Waiting extends CompletableFuture<SendResult> implements SendCallback {
        @Override
        public void onSuccess(SendResult result) {
            complete(result);
        }

        @Override
        public void onException(Throwable failure) {
            completeExceptionally(failure);
        }
    }
}
