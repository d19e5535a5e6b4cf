using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using Notify.Authentication;
using Notify.Dashboard;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging;
using Notify.Operations;
using Notify.Sending;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify;

/// <summary>Puts the service together: one line a concern.</summary>
public static partial class NotifyApplication
{
    private static readonly string[] AddressKeys = [WebHostDefaults.ServerUrlsKey, WebHostDefaults.HttpPortsKey, WebHostDefaults.HttpsPortsKey];

    private static readonly string[] WhoWriteRequests =
    [
        "Microsoft.AspNetCore.Hosting.Diagnostics", "Microsoft.AspNetCore.Server.Kestrel.BadRequests", "Microsoft.AspNetCore.Routing.Matching.DfaMatcher",
    ];

    internal const string DefaultUrl = "http://localhost:5080";

    internal static readonly string Version = typeof(NotifyApplication).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>Builds the service from the usual configuration sources; the caller runs it.</summary>
    /// <param name="args">Configuration on the command line, as <c>--Section:Key=value</c>.</param>
    /// <param name="configure">Has the last word on what is registered; for tests.</param>
    /// <exception cref="OptionsValidationException">The configuration is at fault; several faulty sections come as one <see cref="AggregateException"/>.</exception>
    public static WebApplication Create(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = CreateBuilder(args);
        builder.WebHost.UseStaticWebAssets().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);

        // They would write whole request lines and paths, and one of ours carries an endpoint. A level that is set for one logger provider goes before any that is set for all.
        builder.Services.PostConfigure<LoggerFilterOptions>(filters =>
        {
            foreach (var provider in filters.Rules.Select(rule => rule.ProviderName).Append(null).Distinct().ToList())
            {
                foreach (var category in WhoWriteRequests)
                {
                    filters.Rules.Add(new LoggerFilterRule(provider, category, LogLevel.Warning, filter: null));
                }
            }
        });
        if (!AddressKeys.Any(key => builder.Configuration[key] is { Length: > 0 }))
        {
            builder.WebHost.UseUrls(DefaultUrl);
        }

        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddNotifyOptions(builder.Environment);
        builder.Services.AddProblems();
        builder.Services.AddNotifyCors(builder.Environment);
        builder.Services.AddNotifyRateLimits(builder.Configuration, builder.Environment);
        builder.Services.AddNotifyRequestTimeouts();
        builder.Services.AddNotifyAuthentication(builder.Configuration, builder.Environment);
        builder.Services.AddNotifyStore(builder.Configuration);
        builder.Services.AddNotifySubscriptions();
        builder.Services.AddNotifyFanout();
        builder.Services.AddNotifySending();
        builder.Services.AddNotifyDeliveries();
        builder.Services.AddNotifyHealth();
        builder.AddNotifyTelemetry();
        builder.Services.AddNotifyOpenApi();

        // Hosted services start in this order.
        if (builder.Environment.IsDevelopment())
        {
            builder.Services.AddSingleton<LocalPush>().AddHostedService(provider => provider.GetRequiredService<LocalPush>());
        }

        builder.Services.AddHostedService<StoreStartup>();
        builder.Services.AddHostedService<WaitingLinesWatch>();
        builder.Services.AddNotifyMessaging(builder.Configuration);
        builder.Services.AddHostedService<Housekeeping>();
        builder.Services.AddNotifyDashboard();

        configure?.Invoke(builder);
        var app = builder.Build();

        // All faults at once, before the first of them surfaces somewhere inside.
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        foreach (var key in SettingsSection.UnknownKeys([.. app.Services.GetServices<SettingsSection>()], app.Configuration))
        {
            LogUnknownSetting(app.Logger, key);
        }

        app.Services.BeginStoreModel();
        app.UseSecurityHeaders();
        app.UseNotifyMetrics();
        app.UseKnownProxies();
        app.UseProblems();
        app.UseNotifyDashboard();
        app.UseNotifyPage();
        app.UseRouting();
        app.UseNotifyRequestTimeouts();
        app.UseCors();
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseAuthorization();
        app.MapOpenApi().AllowAnonymous();
        app.MapNotifyHealth();
        app.MapSubscriptionsApi();
        app.MapMessagesApi();
        app.MapDeliveriesApi();
        app.MapReceiptsApi();
        app.MapDashboardApi();
        return app;
    }

    /// <summary>The first address that the service listens on.</summary>
    internal static Uri AddressOf(WebApplication app) => OnThisMachine(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>A server may listen on every address; a client on this machine asks this one.</summary>
    internal static Uri OnThisMachine(string url) => new(url.Replace("//+", "//localhost", StringComparison.Ordinal).Replace("//*", "//localhost", StringComparison.Ordinal)
        .Replace("//0.0.0.0", "//localhost", StringComparison.Ordinal).Replace("//[::]", "//localhost", StringComparison.Ordinal));

    [LoggerMessage(LogLevel.Warning, "There is no setting {Key}, so it does nothing: is it mistyped? docs/configuration.md has all that there are")]
    private static partial void LogUnknownSetting(ILogger logger, string key);

    internal static WebApplicationBuilder CreateBuilder(string[] args)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args,

            // Whoever hosts the service: the page is found by this name while it lies in the source folder.
            ApplicationName = typeof(NotifyApplication).Assembly.GetName().Name,

            // The page lies beside the program, wherever it is started from.
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = EnvironmentOf(args),
        });
        AddSecrets(builder.Configuration);
        return builder;
    }

    // Last, so that a file there counts for more than a variable.
    private static void AddSecrets(ConfigurationManager configuration)
    {
        if (configuration[$"{NotifyOptions.Section}:{nameof(NotifyOptions.SecretsDirectory)}"] is not { Length: > 0 } directory)
        {
            return;
        }

        if (!Directory.Exists(directory))
        {
            throw new OptionsValidationException(
                NotifyOptions.Section, typeof(NotifyOptions), [$"Notify__SecretsDirectory names no folder that can be read: {directory}. Mount it, or take the setting away."]);
        }

        configuration.AddKeyPerFile(Path.GetFullPath(directory), optional: false);
    }

    // What 'dotnet run' builds is for development unless it is told otherwise; what is published is not. A launch profile would do the same, but
    // overrides the variables of whoever starts the program.
    private static string? EnvironmentOf(string[] args)
    {
        var told = new ConfigurationBuilder().AddEnvironmentVariables("DOTNET_").AddEnvironmentVariables("ASPNETCORE_").AddCommandLine(args).Build()[HostDefaults.EnvironmentKey];
#if DEBUG
        return told ?? Environments.Development;
#else
        return told;
#endif
    }
}
