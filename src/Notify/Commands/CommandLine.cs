using System.CommandLine;
using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Options;
using Notify.Store;

namespace Notify.Commands;

/// <summary>What the commands share: configuration on the command line passes through, and an error is a sentence, not a stack trace.</summary>
internal static class CommandLine
{
    // Told to end, the service takes up to 30 seconds for what is under way; the library would end the process after two, as it does with the other commands.
    private static readonly TimeSpan AfterTheHost = TimeSpan.FromSeconds(35);

    /// <summary>Runs the command that the arguments name.</summary>
    /// <returns>The exit code: 0 done, 1 failed, as each command says.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        // What is printed is English whatever the machine's language is, and so are its numbers.
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = CultureInfo.InvariantCulture;
        var command = root.Parse(args);
        try
        {
            var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
            invocation.ProcessTerminationTimeout = command.CommandResult.Command == root ? AfterTheHost : invocation.ProcessTerminationTimeout;
            return await command.InvokeAsync(invocation);
        }
        catch (Exception exception) when (ConfigurationFaults(exception) is { Count: > 0 } faults)
        {
            return await FailAsync("Notify did not start. Please change its configuration:", faults);
        }
        catch (UsageException exception)
        {
            return await FailAsync(exception.Message, []);
        }
        catch (OperationCanceledException)
        {
            return 1;
        }
        catch (Exception exception) when (exception is DbException or RetryLimitExceededException && StoreAway.IsSaidBy(exception))
        {
            return await FailAsync("The database is away, or not ready yet, or elsewhere than ConnectionStrings__Notify says:", Messages(exception));
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException)
        {
            return await FailAsync("Notify cannot use the database that Notify__Store and ConnectionStrings__Notify name:", Messages(exception));
        }
        catch (Exception exception) when (exception is IOException or SocketException or FormatException or ArgumentException or InvalidOperationException)
        {
            // What settings bring about that only their use can show: an address that is not here, a file that cannot be read, a number that is none.
            return await FailAsync(command.CommandResult.Command == root ? "Notify did not start with its present settings:" : "Notify cannot do that with its present settings:", Messages(exception));
        }
    }

    /// <summary>Lets the command take configuration as <c>--Section:Key=value</c>; anything else unknown stays an error.</summary>
    public static T TakesConfiguration<T>(this T command)
        where T : Command
    {
        command.TreatUnmatchedTokensAsErrors = false;
        return command;
    }

    /// <summary>The configuration among the arguments.</summary>
    /// <exception cref="UsageException">An argument is neither of the command nor configuration.</exception>
    public static string[] Configuration(this ParseResult arguments)
    {
        var rest = arguments.UnmatchedTokens;
        for (var i = 0; i < rest.Count; i++)
        {
            var key = rest[i].Split('=')[0];
            var isKey = key.StartsWith("--", StringComparison.Ordinal) && (key.Contains(':', StringComparison.Ordinal) || key is "--urls" or "--environment");
            if (!isKey || (key == rest[i] && ++i >= rest.Count))
            {
                throw Unknown(key);
            }
        }

        return [.. rest];
    }

    /// <exception cref="UsageException">There are arguments that the command does not know.</exception>
    public static void RejectTheRest(this ParseResult arguments)
    {
        if (arguments.UnmatchedTokens is [var first, ..])
        {
            throw Unknown(first);
        }
    }

    private static UsageException Unknown(string argument) =>
        new($"'{argument}' is not a command or option here. Run with --help to see them; configuration is given as --Section:Key=value.");

    // Several sections at fault come as one aggregate.
    private static List<string> ConfigurationFaults(Exception exception) => exception switch
    {
        OptionsValidationException single => [.. single.Failures],
        AggregateException many => [.. many.InnerExceptions.OfType<OptionsValidationException>().SelectMany(one => one.Failures)],
        _ => [],
    };

    private static IEnumerable<string> Messages(Exception? exception)
    {
        for (var said = ""; exception is not null; exception = exception.InnerException)
        {
            if (!said.Contains(exception.Message, StringComparison.OrdinalIgnoreCase))
            {
                yield return said = exception.Message;
            }
        }
    }

    private static async Task<int> FailAsync(string heading, IEnumerable<string> lines)
    {
        await Console.Error.WriteLineAsync(heading);
        foreach (var line in lines)
        {
            await Console.Error.WriteLineAsync($"  - {line}");
        }

        return 1;
    }
}

/// <summary>The command cannot be carried out as it was given; the message says what to do.</summary>
internal sealed class UsageException(string message) : Exception(message);
