package judge;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.List;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * The verb {@code mqadmin}: runs a command of Apache's tool in this process and answers with all that it printed.
 *
 * <p>The tool ends with status 0 even where it prints a stack trace, so its text is the only result there is. A wrong
 * option makes it call {@code System.exit}: then this process ends, and the hook below says why.
 */
final class Admin {
    private Admin() {
    }

    static String run(List<String> arguments) throws Exception {
        forgetCommands();
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream out = System.out;
        PrintStream err = System.err;
        Thread lastWords = new Thread(() -> err.println("mqadmin ended the process: " + printed));
        Runtime.getRuntime().addShutdownHook(lastWords);
        PrintStream captured = new PrintStream(printed, true, "UTF-8");
        System.setOut(captured);
        System.setErr(captured);
        try {
            MQAdminStartup.main0(arguments.toArray(new String[0]), null);
        } finally {
            System.setOut(out);
            System.setErr(err);
            Runtime.getRuntime().removeShutdownHook(lastWords);
        }
        return printed.toString("UTF-8");
    }

    /**
     * Lets the tool make its commands anew, as at the start of a process: some keep what they have shut down, so that
     * a second {@code sendMessage} fails with "The producer service state not OK". The list's name differs between
     * versions.
     */
    private static void forgetCommands() throws IllegalAccessException {
        for (Field field : MQAdminStartup.class.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) && List.class.isAssignableFrom(field.getType())) {
                field.setAccessible(true);
                ((List<?>) field.get(null)).clear();
            }
        }
    }
}
