import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * Apache's Java client under the load of {@code maxq-bench peers}: same options, same line of JSON at the end.
 *
 * <p>Its settings: the client's defaults (no VIP channel, no latency fault tolerance), no compression. The JVM gets a
 * fixed heap and the parallel collector, which costs the least; how, stands in the launcher.
 */
public final class Bench {
    private final Map<String, String> given = new TreeMap<>();
    private final LongAdder messages = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final List<Latencies> latencies = new ArrayList<>();
    private volatile boolean measuring;
    private volatile boolean stopped;

    public static void main(String[] arguments) throws Exception {
        new Bench(arguments).run();
        // Leaving is not measured, and may take long with much under way.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private Bench(String[] arguments) {
        for (String argument : arguments) {
            String[] pair = argument.replaceFirst("^-+", "").split("=", 2);
            if (pair.length == 2) {
                given.put(pair[0], pair[1]);
            }
        }
    }

    private void run() throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("bench_group");
        producer.setNamesrvAddr(given.get("name-server"));
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.start();
        String way = given.get("way");
        int inflight = number("inflight");
        Semaphore room = new Semaphore(inflight);
        int threads = way.equals("async") ? 1 : inflight;
        for (int at = 0; at < threads; at++) {
            Latencies own = new Latencies();
            latencies.add(own);
            Thread thread = new Thread(() -> send(producer, way, room, own), "sender-" + at);
            thread.setDaemon(true);
            thread.start();
        }
        Thread.sleep(millis("warm"));
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long messagesBefore = messages.sum();
        long errorsBefore = errors.sum();
        long cpu = system.getProcessCpuTime();
        long began = System.nanoTime();
        measuring = true;
        Thread.sleep(millis("secs"));
        measuring = false;
        double seconds = (System.nanoTime() - began) / 1e9;
        double cpuSeconds = (system.getProcessCpuTime() - cpu) / 1e9;
        long sent = messages.sum() - messagesBefore;
        long failed = errors.sum() - errorsBefore;
        stopped = true;
        long[] all = Latencies.sorted(latencies);
        System.out.printf(java.util.Locale.ROOT,
            "{\"messages\":%d,\"seconds\":%f,\"cpu_seconds\":%f,\"errors\":%d,"
                + "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}%n",
            sent, seconds, cpuSeconds, failed, at(all, 0.5), at(all, 0.99), at(all, 1.0));
    }

    private void send(DefaultMQProducer producer, String way, Semaphore room, Latencies own) {
        byte[] body = new byte[number("body")];
        Arrays.fill(body, (byte) 'x');
        int batch = number("batch");
        int every = number("timed-every");
        for (long nth = 0; !stopped; nth++) {
            long started = nth % every == 0 ? System.nanoTime() : 0;
            try {
                switch (way) {
                    case "awaited":
                        producer.send(new Message("BenchTopic", body));
                        ended(1, started, own);
                        break;
                    case "oneway":
                        producer.sendOneway(new Message("BenchTopic", body));
                        ended(1, started, own);
                        break;
                    case "batch":
                        List<Message> several = new ArrayList<>(batch);
                        for (int at = 0; at < batch; at++) {
                            several.add(new Message("BenchTopic", body));
                        }
                        producer.send(several);
                        ended(batch, started, own);
                        break;
                    default:
                        room.acquire();
                        sendAsync(producer, body, started, room, own);
                        break;
                }
            } catch (InterruptedException nobodyDoes) {
                return;
            } catch (Exception failure) {
                errors.increment();
            }
        }
    }

    /** Whatever comes of it, the room comes back: from the callback, or here when there will be none. */
    private void sendAsync(
            DefaultMQProducer producer, byte[] body, long started, Semaphore room, Latencies own) throws Exception {
        SendCallback told = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                ended(1, started, own);
                room.release();
            }

            @Override
            public void onException(Throwable failure) {
                errors.increment();
                room.release();
            }
        };
        try {
            producer.send(new Message("BenchTopic", body), told);
        } catch (Exception failure) {
            room.release();
            throw failure;
        }
    }

    private void ended(int count, long started, Latencies own) {
        messages.add(count);
        if (started != 0 && measuring) {
            own.add(System.nanoTime() - started);
        }
    }

    private int number(String key) {
        return Integer.parseInt(given.get(key));
    }

    private long millis(String key) {
        return Math.round(1000 * Double.parseDouble(given.get(key)));
    }

    private static double at(long[] sorted, double quantile) {
        return sorted.length == 0 ? 0 : sorted[(int) Math.ceil((sorted.length - 1) * quantile)] / 1e3;
    }

    /** Latencies of one sender; callbacks of several threads may add to it. */
    private static final class Latencies {
        private long[] took = new long[1 << 10];
        private int count;

        synchronized void add(long nanos) {
            if (count == took.length) {
                took = Arrays.copyOf(took, 2 * count);
            }
            took[count++] = nanos;
        }

        static synchronized long[] sorted(List<Latencies> several) {
            long[] all = new long[0];
            for (Latencies one : several) {
                synchronized (one) {
                    int before = all.length;
                    all = Arrays.copyOf(all, before + one.count);
                    System.arraycopy(one.took, 0, all, before, one.count);
                }
            }
            Arrays.sort(all);
            return all;
        }
    }
}
