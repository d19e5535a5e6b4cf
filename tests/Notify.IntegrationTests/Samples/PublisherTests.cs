using System.Diagnostics;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.RabbitMq;
using Notify.Tests;

namespace Notify.IntegrationTests.Samples;

/// <summary>The programs under samples/, as a newcomer runs them.</summary>
[Collection("RabbitMQ")]
public sealed class PublisherTests(SharedBrokers brokers)
{
    [Fact]
    public Task A_publisher_in_Node_needs_amqplib_and_nothing_of_ours() =>
        IsFannedOutAsync(uri => NodeProgram.RunAsync("samples/publisher-node", "publish.mjs", $"{uri}", "ada", "Lunch?"), "Lunch?");

    [Fact]
    public Task A_publisher_in_NET_needs_MassTransit_and_the_contracts() => IsFannedOutAsync(uri => RunAsync($"{uri}", "ada", "Lunch?"), "Grace");

    private async Task IsFannedOutAsync(Func<Uri, Task<(int ExitCode, string Error)>> publishAsync, string title)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;

        Assert.Equal((0, ""), await publishAsync(uri));

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual([title]));
    }

    private static async Task<(int ExitCode, string Error)> RunAsync(params string[] arguments)
    {
        // Built as the tests are, into bin/CONFIGURATION/FRAMEWORK.
        var built = Path.GetRelativePath(Path.Combine(Repository.Root, "tests", "Notify.IntegrationTests"), AppContext.BaseDirectory);
        var program = Path.Combine(Repository.Root, "samples", "Publisher.DotNet", built, "Publisher.DotNet.dll");
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardError = true })!;
        var error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, error);
    }
}
