using System.CommandLine;
using Microsoft.Extensions.Options;

namespace Notify.Commands;

/// <summary>What the commands share: configuration on the command line passes through, and an error is a sentence, not a stack trace.</summary>
internal static class CommandLine
{
    /// <summary>Runs the command that the arguments name.</summary>
    /// <returns>The exit code: 0 done, 1 failed, as each command says.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        try
        {
            return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception exception) when (ConfigurationFaults(exception) is { Count: > 0 } faults)
        {
            return await FailAsync("Notify did not start. Please change its configuration:", faults);
        }
        catch (UsageException exception)
        {
            return await FailAsync(exception.Message, []);
        }
        catch (IOException exception)
        {
            return await FailAsync("Notify did not start:", [exception.Message]);
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
            var isPair = rest[i].Contains('=', StringComparison.Ordinal);
            if (!rest[i].StartsWith("--", StringComparison.Ordinal) || (!isPair && ++i >= rest.Count))
            {
                throw new UsageException($"'{rest[Math.Min(i, rest.Count - 1)]}' is not a command or option. Run with --help to see them; configuration is given as --Section:Key=value.");
            }
        }

        return [.. rest];
    }

    // Several sections at fault come as one aggregate.
    private static List<string> ConfigurationFaults(Exception exception) => exception switch
    {
        OptionsValidationException single => [.. single.Failures],
        AggregateException many => [.. many.InnerExceptions.OfType<OptionsValidationException>().SelectMany(one => one.Failures)],
        _ => [],
    };

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
