using System.CommandLine;
using System.Text.Json;
using Notify.Sending;
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
        check.SetAction(Check);
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

    private static int Check(ParseResult arguments)
    {
        var vapid = NotifyApplication.CreateBuilder(arguments.Configuration()).Configuration.GetSection(VapidOptions.Section).Get<VapidOptions>() ?? new();
        if (string.IsNullOrEmpty(vapid.PublicKey) || string.IsNullOrEmpty(vapid.PrivateKey))
        {
            throw new UsageException("No VAPID pair is configured: set Notify__Vapid__PublicKey and Notify__Vapid__PrivateKey ('vapid generate' prints a pair).");
        }

        if (VapidFaults.OfPair(vapid.PublicKey, vapid.PrivateKey) is { } fault)
        {
            throw new UsageException($"The VAPID pair cannot be used: {fault}");
        }

        foreach (var (index, previous) in vapid.Previous.Index())
        {
            if (VapidFaults.OfPair(previous.PublicKey ?? "", previous.PrivateKey ?? "") is { } previousFault)
            {
                throw new UsageException($"The previous VAPID pair {index} cannot be used: {previousFault}");
            }
        }

        using var pair = VapidKeyPair.Import(vapid.PublicKey, vapid.PrivateKey);
        var findings = VapidCheck.Run(pair, vapid.Subject ?? "");
        foreach (var finding in findings)
        {
            Console.WriteLine($"{(finding.Accepted ? "ok     " : "refused")}  {finding.Vendor}{(finding.Reason is null ? "" : $": {finding.Reason}")}");
        }

        return findings.All(finding => finding.Accepted) ? 0 : 1;
    }
}
