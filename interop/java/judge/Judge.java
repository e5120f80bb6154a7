package judge;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Apache's own client and tools, driven line by line.
 *
 * <p>Standard input carries one request a line: a verb, a blank, and percent-encoded pairs ({@link Request}). Standard
 * output answers with any number of JSON lines and then {@code {"end":"ok"}} or {@code {"end":"error","error":".."}}.
 * One such process per client version saves the second that every start of a JVM costs. The end of standard input ends
 * the process at once, whatever it is doing: it never outlives the program that started it.
 */
public final class Judge {
    private final PrintStream answers;
    private final Sender sender = new Sender();
    private final Reader reader = new Reader();
    private final Load load = new Load();
    private final Consumer consumer = new Consumer();

    private Judge(PrintStream answers) {
        this.answers = answers;
    }

    public static void main(String[] args) throws Exception {
        Judge judge = new Judge(new PrintStream(System.out, true, "UTF-8"));
        // Logging and the tools write to System.out as they like; the answers must stay clean.
        System.setOut(System.err);
        BlockingQueue<String> requests = listen();
        judge.answers.println("{\"end\":\"ok\"}");
        while (true) {
            judge.answer(requests.take());
        }
    }

    /** Reads requests in a thread of its own, so that the end of the input is seen while a request runs. */
    private static BlockingQueue<String> listen() {
        BlockingQueue<String> requests = new LinkedBlockingQueue<>();
        Thread thread = new Thread(() -> {
            try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    requests.add(line);
                }
            } catch (Exception broken) {
                broken.printStackTrace();
            }
            Runtime.getRuntime().halt(0);
        }, "requests");
        thread.setDaemon(true);
        thread.start();
        return requests;
    }

    private void answer(String line) {
        try {
            run(new Request(line));
            answers.println("{\"end\":\"ok\"}");
        } catch (Throwable failure) {
            StringWriter trace = new StringWriter();
            failure.printStackTrace(new PrintWriter(trace));
            answers.println(new Json().put("end", "error").put("error", trace.toString()));
        }
    }

    private void run(Request request) throws Exception {
        switch (request.verb()) {
            case "message":
                sender.add(request);
                break;
            case "send":
                sender.send(request, answers);
                break;
            case "read":
                reader.read(request, answers);
                break;
            case "consume":
                consumer.consume(request, answers);
                break;
            case "tally":
                reader.tally(request, answers);
                break;
            case "load":
                load.start(request);
                break;
            case "unload":
                load.stop(request);
                break;
            case "mqadmin":
                answers.println(new Json().put("output", Admin.run(request.all("arg"))));
                break;
            default:
                throw new IllegalArgumentException("unknown verb " + request.verb());
        }
    }
}
