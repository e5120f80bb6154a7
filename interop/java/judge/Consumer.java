package judge;

import java.io.PrintStream;
import java.util.Base64;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The verb {@code consume}: Apache's push consumer, or its lite pull consumer, for as long as it takes to get what is
 * there. Each leaves its group as a good client does.
 */
final class Consumer {
    /** {@code consume name_server= kind=push|subscribed|assigned topic= group= tags= count= timeout=MS}: one line a message. */
    void consume(Request request, PrintStream answers) throws Exception {
        long end = System.currentTimeMillis() + request.number("timeout");
        BlockingQueue<MessageExt> came = new LinkedBlockingQueue<>();
        if (request.text("kind").equals("push")) {
            push(request, end, came, answers);
        } else {
            pull(request, end, answers);
        }
    }

    private static void push(Request request, long end, BlockingQueue<MessageExt> came, PrintStream answers)
        throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(request.text("group"));
        consumer.setNamesrvAddr(request.text("name_server"));
        consumer.setInstanceName("push@" + request.text("name_server"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(request.text("topic"), request.text("tags"));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            came.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        try {
            for (int count = 0; count < request.number("count"); count++) {
                MessageExt message = came.poll(Math.max(0, end - System.currentTimeMillis()), TimeUnit.MILLISECONDS);
                if (message == null) {
                    return;
                }
                answers.println(json(message));
            }
            // The consumer notes how far it is when a listener has returned, which the last one may not have.
            Thread.sleep(500);
            tellOffsets(consumer, request.text("topic"));
        } finally {
            consumer.shutdown();
        }
    }

    /** As leaving does, but with an answer: what a client sends one way as it leaves may be lost with its connection. */
    private static void tellOffsets(DefaultMQPushConsumer consumer, String topic) throws Exception {
        OffsetStore store = consumer.getDefaultMQPushConsumerImpl().getOffsetStore();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            long offset = store.readOffset(queue, ReadOffsetType.READ_FROM_MEMORY);
            if (offset >= 0) {
                store.updateConsumeOffsetToBroker(queue, offset, false);
            }
        }
    }

    private static void pull(Request request, long end, PrintStream answers) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(request.text("group"));
        consumer.setNamesrvAddr(request.text("name_server"));
        consumer.setInstanceName(request.text("kind") + "@" + request.text("name_server"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        boolean assigned = request.text("kind").equals("assigned");
        if (!assigned) {
            consumer.subscribe(request.text("topic"), request.text("tags"));
        }
        consumer.start();
        try {
            if (assigned) {
                Collection<MessageQueue> queues = consumer.fetchMessageQueues(request.text("topic"));
                consumer.assign(queues);
                for (MessageQueue queue : queues) {
                    consumer.seek(queue, 0);
                }
            }
            // What was pulled before the seek comes again after it: each message counts once.
            Set<String> places = new HashSet<>();
            while (places.size() < request.number("count") && System.currentTimeMillis() < end) {
                for (MessageExt message : consumer.poll(500)) {
                    places.add(message.getBrokerName() + " " + message.getQueueId() + " " + message.getQueueOffset());
                    answers.println(json(message));
                }
            }
        } finally {
            consumer.shutdown();
        }
    }

    private static Json json(MessageExt message) {
        return new Json().put("body_base64", Base64.getEncoder().encodeToString(message.getBody()));
    }
}
