using System.CommandLine;
using System.Data.Common;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Sending;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Commands;

/// <summary><c>vapid generate</c> and <c>vapid check</c>.</summary>
internal static class VapidCommand
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerOptions.Web) { WriteIndented = true };

    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON, for programs." };
        var generate = new Command("generate", "Prints a new VAPID pair as configuration lines.") { json };
        generate.SetAction(arguments =>
        {
            arguments.RejectTheRest();
            return Generate(arguments.GetValue(json));
        });
        var check = new Command("check", "Checks the configured pair and subject against what each vendor accepts; exit code 1 if any would refuse.").TakesConfiguration();
        check.SetAction(CheckAsync);
        return new Command("vapid", "Makes and checks the key pair that push services know this server by (RFC 8292).") { generate, check };
    }

    private static int Generate(bool json)
    {
        using var pair = VapidKeyPair.Generate();
        Console.WriteLine(json
            ? JsonSerializer.Serialize(new { pair.PublicKey, pair.PrivateKey }, Indented)
            : $"Notify__Vapid__PublicKey={pair.PublicKey}\nNotify__Vapid__PrivateKey={pair.PrivateKey}");
        return 0;
    }

    private static async Task<int> CheckAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var builder = NotifyApplication.CreateBuilder(arguments.Configuration());
        var vapid = builder.Configuration.GetSection(VapidOptions.Section).Get<VapidOptions>() ?? new();
        if (string.IsNullOrEmpty(vapid.PublicKey) || string.IsNullOrEmpty(vapid.PrivateKey))
        {
            throw new UsageException("No VAPID pair is configured: set Notify__Vapid__PublicKey and Notify__Vapid__PrivateKey ('vapid generate' prints a pair).");
        }

        if (VapidFaults.OfPair(vapid.PublicKey, vapid.PrivateKey) is { } fault)
        {
            throw new UsageException($"The VAPID pair cannot be used (Notify__Vapid__PublicKey, Notify__Vapid__PrivateKey): {fault}");
        }

        foreach (var (index, previous) in vapid.Previous.Index())
        {
            if (VapidFaults.OfPair(previous.PublicKey ?? "", previous.PrivateKey ?? "") is { } previousFault)
            {
                throw new UsageException($"The previous VAPID pair {index} cannot be used (Notify__Vapid__Previous__{index}__PublicKey, __PrivateKey): {previousFault}");
            }
        }

        using var pair = VapidKeyPair.Import(vapid.PublicKey, vapid.PrivateKey);
        var findings = VapidCheck.Run(pair, vapid.Subject ?? "");
        foreach (var finding in findings)
        {
            Console.WriteLine($"{(finding.Accepted ? "ok     " : "refused")}  {finding.Vendor}{(finding.Reason is null ? "" : $": {finding.Reason}")}");
        }

        Console.WriteLine(await SubscriptionsAsync(builder, pair.PublicKey, [.. vapid.Previous.Select(PublicKeyOf)], cancellationToken));
        return findings.All(finding => finding.Accepted) ? 0 : 1;
    }

    // How far a change of keys has come. A check before the first start has no store to count in, which is no fault.
    private static async Task<string> SubscriptionsAsync(WebApplicationBuilder builder, string current, List<string> previous, CancellationToken cancellationToken)
    {
        builder.Services.AddSingleton(TimeProvider.System).AddNotifyOptions(builder.Environment).AddNotifyStore(builder.Configuration);
        await using var services = builder.Services.BuildServiceProvider();
        Dictionary<string, int> counts;
        try
        {
            await using var db = await services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(cancellationToken);
            if (!await db.Database.CanConnectAsync(cancellationToken))
            {
                return "The subscriptions were not counted: no store can be reached by Notify__Store and ConnectionStrings__Notify.";
            }

            counts = await db.Subscriptions.GroupBy(row => row.ApplicationServerKey).ToDictionaryAsync(group => group.Key, group => group.Count(), cancellationToken);
        }
        catch (Exception exception) when (exception is DbException or OptionsValidationException)
        {
            return "The subscriptions were not counted: the store cannot be read as it is; 'migrate' brings it to the current schema.";
        }

        var lines = new List<string> { $"Subscriptions: {counts.Values.Sum():N0}, of which {counts.GetValueOrDefault(current):N0} with the current key" };
        lines.AddRange(previous.Index().Select(pair => $"{counts.GetValueOrDefault(pair.Item):N0} with Notify__Vapid__Previous__{pair.Index}"));
        if (counts.Where(count => count.Key != current && !previous.Contains(count.Key)).Sum(count => count.Value) is > 0 and var stranded)
        {
            lines.Add($"{stranded:N0} with a key that is not configured, which cannot be pushed to: add its pair to Notify__Vapid__Previous");
        }

        return $"{string.Join("; ", lines)}.";
    }

    // As subscriptions have it, however it is written in the settings.
    private static string PublicKeyOf(VapidPair pair)
    {
        using var imported = VapidKeyPair.Import(pair.PublicKey!, pair.PrivateKey!);
        return imported.PublicKey;
    }
}
