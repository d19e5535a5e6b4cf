using System.Text;
using Microsoft.Extensions.Options;
using Notify.Authentication;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Operations;
using Notify.Sending;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify;

/// <summary>Binds every option and checks it before anything starts; a fault says what to change.</summary>
internal static class OptionsSetup
{
    public static IServiceCollection AddNotifyOptions(this IServiceCollection services, IHostEnvironment environment)
    {
        var isDevelopment = environment.IsDevelopment();
        Bind<NotifyOptions>(services, NotifyOptions.Section);
        services.AddSingleton<IValidateOptions<NotifyOptions>, StoreConnectionCheck>();
        Bind<SubscriptionsOptions>(services, SubscriptionsOptions.Section);
        Bind<FanoutOptions>(services, FanoutOptions.Section);
        Bind<DeliveryLogOptions>(services, DeliveryLogOptions.Section);
        Bind<SendingOptions>(services, SendingOptions.Section, options =>
            options.MaxRetryDelay < options.RetryDelay ? ["Notify__Sending__MaxRetryDelay must not be shorter than Notify__Sending__RetryDelay."] : []);
        Bind<PushServicesOptions>(services, PushServicesOptions.Section, options =>
            options.Allowed.Select(entry => PushServiceAllowList.FaultOf(entry, isDevelopment)).OfType<string>().Select(fault => $"Notify__PushServices__Allowed: {fault}."));
        Bind<TelemetryOptions>(services, TelemetryOptions.Section);
        Bind<RateLimitsOptions>(services, RateLimitsOptions.Section);
        Bind<NotifyCorsOptions>(services, NotifyCorsOptions.Section, options =>
            options.AllowedOrigins.Select(NotifyCorsOptions.FaultOf).OfType<string>().Select(fault => $"Notify__Cors__AllowedOrigins: {fault}."));
        Bind<NotifyForwardedHeadersOptions>(services, NotifyForwardedHeadersOptions.Section, options =>
            options.KnownProxies.Select(NotifyForwardedHeadersOptions.FaultOf).OfType<string>().Select(fault => $"Notify__ForwardedHeaders__KnownProxies: {fault}."));
        Bind<EncryptionOptions>(services, EncryptionOptions.Section, options => options.Faults());
        Bind<AuthOptions>(services, AuthOptions.Section, options => CheckAuth(options, isDevelopment));
        Bind<VapidOptions>(services, VapidOptions.Section, options => CheckVapid(options, isDevelopment));
        Bind<LocalPushOptions>(services, LocalPushOptions.Section, options => CheckLocalPush(options, isDevelopment));
        return services;
    }

    private static void Bind<T>(IServiceCollection services, string section, Func<T, IEnumerable<string>>? check = null)
        where T : class
    {
        var settings = new SettingsSection(section, typeof(T));
        services.AddSingleton(settings);
        var builder = services.AddOptions<T>()
            .Configure<IConfiguration>((_, configuration) => settings.ThrowIfUnreadable(configuration))
            .BindConfiguration(section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<T>>(new Checked<T>(options => [.. settings.OutOfRange(options), .. check?.Invoke(options) ?? []]));
    }

    private static IEnumerable<string> CheckAuth(AuthOptions options, bool isDevelopment)
    {
        var hasAuthority = !string.IsNullOrEmpty(options.Authority);
        var hasKey = !string.IsNullOrEmpty(options.SigningKey);
        if (!hasAuthority && !hasKey && !isDevelopment)
        {
            yield return "Nobody could log in: set Notify__Auth__Authority and Notify__Auth__Audience (the OpenID Connect issuer of your application's tokens), "
                + "or Notify__Auth__SigningKey (a random secret of 32 bytes or more that your application signs HS256 tokens with; 'openssl rand -base64 48' prints one).";
        }

        if (hasAuthority && hasKey)
        {
            yield return "Set either Notify__Auth__Authority or Notify__Auth__SigningKey, not both: it must be clear whose tokens count.";
        }

        if (hasAuthority && !(Uri.TryCreate(options.Authority, UriKind.Absolute, out var authority) && (authority.Scheme == Uri.UriSchemeHttps || (isDevelopment && authority.Scheme == Uri.UriSchemeHttp))))
        {
            yield return "Notify__Auth__Authority must be an https URL: the issuer's keys are fetched from there.";
        }

        if (hasAuthority && string.IsNullOrEmpty(options.Audience))
        {
            yield return "Set Notify__Auth__Audience beside Notify__Auth__Authority: without it, a token that the issuer made for another application would count here.";
        }

        if (hasKey && Encoding.UTF8.GetByteCount(options.SigningKey!) < AuthOptions.MinSigningKeyBytes)
        {
            yield return $"Notify__Auth__SigningKey is too short: HS256 takes {AuthOptions.MinSigningKeyBytes} bytes or more ('openssl rand -base64 48' prints one).";
        }

        foreach (var (index, _) in options.PreviousSigningKeys.Index().Where(key => Encoding.UTF8.GetByteCount(key.Item) < AuthOptions.MinSigningKeyBytes))
        {
            yield return $"Notify__Auth__PreviousSigningKeys__{index} is too short: a key of HS256 has {AuthOptions.MinSigningKeyBytes} bytes or more. Take it away if there is none.";
        }

        if (options.PreviousSigningKeys.Count > 0 && !hasKey)
        {
            yield return "Notify__Auth__PreviousSigningKeys stand beside Notify__Auth__SigningKey, the key that tokens are signed with from now on: set that too, or take them away.";
        }
    }

    private static IEnumerable<string> CheckVapid(VapidOptions options, bool isDevelopment)
    {
        var hasPublic = !string.IsNullOrEmpty(options.PublicKey);
        var hasPrivate = !string.IsNullOrEmpty(options.PrivateKey);
        if (hasPublic != hasPrivate || (!hasPublic && !isDevelopment))
        {
            yield return $"Set Notify__Vapid__{(hasPublic ? "PrivateKey" : hasPrivate ? "PublicKey" : "PublicKey and Notify__Vapid__PrivateKey")}: 'dotnet run --project src/Notify -- vapid generate' prints a pair. "
                + "Keep it: browsers bind their subscriptions to it.";
        }

        if (string.IsNullOrEmpty(options.Subject) && !isDevelopment)
        {
            yield return "Set Notify__Vapid__Subject: a mailto: or https: URI at which a push service reaches you, such as mailto:ops@example.com.";
        }

        if (!string.IsNullOrEmpty(options.Subject) && VapidFaults.OfSubject(options.Subject) is { } fault)
        {
            yield return $"Notify__Vapid__Subject: {fault}";
        }

        if (hasPublic && hasPrivate && VapidFaults.OfPair(options.PublicKey!, options.PrivateKey!) is { } currentFault)
        {
            yield return $"Notify__Vapid: {currentFault}";
        }

        foreach (var (index, pair) in options.Previous.Index())
        {
            if (string.IsNullOrEmpty(pair.PublicKey) || string.IsNullOrEmpty(pair.PrivateKey))
            {
                yield return $"Notify__Vapid__Previous__{index} needs both __PublicKey and __PrivateKey.";
            }
            else if (VapidFaults.OfPair(pair.PublicKey, pair.PrivateKey) is { } previousFault)
            {
                yield return $"Notify__Vapid__Previous__{index}: {previousFault}";
            }
        }
    }

    private static IEnumerable<string> CheckLocalPush(LocalPushOptions options, bool isDevelopment)
    {
        if (isDevelopment && (!Uri.TryCreate(options.Url, UriKind.Absolute, out var url) || url is not { Scheme: "http", IsLoopback: true, PathAndQuery: "/", UserInfo: "", Fragment: "" }))
        {
            yield return "Notify__LocalPushService__Url must be an http origin on this machine, such as http://localhost:5081.";
        }
    }

    private sealed class StoreConnectionCheck(IConfiguration configuration) : IValidateOptions<NotifyOptions>
    {
        public ValidateOptionsResult Validate(string? name, NotifyOptions options) =>
            StoreSetup.FaultOf(options.Store, configuration.GetConnectionString(StoreSetup.ConnectionName)) is { } fault ? ValidateOptionsResult.Fail(fault) : ValidateOptionsResult.Success;
    }

    private sealed class Checked<T>(Func<T, IEnumerable<string>> check) : IValidateOptions<T>
        where T : class
    {
        public ValidateOptionsResult Validate(string? name, T options) =>
            check(options).ToList() is { Count: > 0 } faults ? ValidateOptionsResult.Fail(faults) : ValidateOptionsResult.Success;
    }
}
