package judge;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * The verbs {@code load} and {@code unload}: threads that each send one message after the other with Apache's
 * {@link DefaultMQProducer}, and remember how each send ended.
 *
 * <p>Every time is counted from the moment at which {@code load} is answered, so that the launcher, which reads its own
 * clock then, can set its faults beside them.
 */
final class Load {
    /** Nobody sends before the answer has surely been read. */
    private static final long LEAD_MS = 50;

    private DefaultMQProducer producer;
    private List<Sends> senders = new ArrayList<>();
    private volatile boolean stopped;

    /** {@code load name_server= topic= senders= deadline=MS size=BYTES latency_fault=true|false}. */
    void start(Request request) throws Exception {
        if (producer != null) {
            throw new IllegalStateException("one load at a time");
        }
        producer = new DefaultMQProducer("maxq_interop_load");
        producer.setNamesrvAddr(request.text("name_server"));
        producer.setSendMsgTimeout((int) request.number("deadline"));
        producer.setSendLatencyFaultEnable(Boolean.parseBoolean(request.text("latency_fault")));
        producer.start();
        stopped = false;
        long zero = System.nanoTime();
        for (int number = 0; number < request.number("senders"); number++) {
            Sends sends = new Sends(number, request.text("topic"), (int) request.number("size"), zero);
            senders.add(sends);
            sends.start();
        }
    }

    /** {@code unload file=}: lets every thread finish its send, and writes one line for each send of each. */
    void stop(Request request) throws Exception {
        stopped = true;
        List<Sends> ended = senders;
        senders = new ArrayList<>();
        for (Sends sends : ended) {
            sends.join();
        }
        producer.shutdown();
        producer = null;
        try (PrintWriter file = new PrintWriter(request.text("file"), StandardCharsets.UTF_8.name())) {
            for (Sends sends : ended) {
                sends.write(file);
            }
            if (file.checkError()) {
                throw new IllegalStateException("cannot write " + request.text("file"));
            }
        }
    }

    /** One sender. What it remembers is plain arrays: nothing here should make the collector work. */
    private final class Sends extends Thread {
        private final int number;
        private final String topic;
        private final int size;
        private final long zero;
        private final Map<Integer, String> failures = new TreeMap<>();
        private long[] began = new long[1 << 16];
        private long[] took = new long[1 << 16];
        private int count;

        Sends(int number, String topic, int size, long zero) {
            super("sender-" + number);
            this.number = number;
            this.topic = topic;
            this.size = size;
            this.zero = zero;
        }

        @Override
        public void run() {
            try {
                Thread.sleep(LEAD_MS);
            } catch (InterruptedException nobodyDoes) {
                return;
            }
            while (!stopped) {
                if (count == began.length) {
                    began = Arrays.copyOf(began, 2 * count);
                    took = Arrays.copyOf(took, 2 * count);
                }
                long start = System.nanoTime();
                String failure = send();
                began[count] = start - zero;
                took[count] = System.nanoTime() - start;
                if (failure != null) {
                    failures.put(count, failure);
                }
                count++;
            }
        }

        /** Null if the message is stored, else what kind of failure it was. */
        private String send() {
            try {
                SendResult result = producer.send(new Message(topic, Tally.body(number, count, size)));
                return result.getSendStatus() == SendStatus.SEND_OK ? null : result.getSendStatus().name();
            } catch (MQClientException failure) {
                return "MQClientException " + failure.getResponseCode();
            } catch (MQBrokerException failure) {
                return "MQBrokerException " + failure.getResponseCode();
            } catch (Exception failure) {
                return failure.getClass().getSimpleName();
            }
        }

        void write(PrintWriter file) {
            for (int send = 0; send < count; send++) {
                String failure = failures.get(send);
                file.println(number + " " + send + " " + began[send] / 1_000 + " " + took[send] / 1_000
                    + (failure == null ? "" : " " + failure));
            }
        }
    }
}
